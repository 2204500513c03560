"""What the author of a quantizer says of it."""

from collections.abc import Callable
from typing import NamedTuple, SupportsFloat

import numpy as np


class Claims(NamedTuple):
    """What a quantizer's docstring says, beside what its layout does.

    Attributes:
        unbiased: whether E[x_hat] = x.
        error: x f64[d] -> a bound on max |x - x_hat|; None where there is none.
        squared_error: x -> a bound on E ||x - x_hat||^2; None where there is none. It is
            (1 - delta) ||x||^2 for a contraction by delta, omega ||x||^2 for an unbiased
            quantizer of relative variance omega.
        bits: d -> length of a message about f32[d]; None takes the layout's word.
        zero: whether x = 0 decodes to exactly 0.
    """

    unbiased: bool = False
    error: Callable[[np.ndarray], SupportsFloat] | None = None
    squared_error: Callable[[np.ndarray], SupportsFloat] | None = None
    bits: Callable[[int], int] | None = None
    zero: bool = True


NO_CLAIMS = Claims()
