"""Numbers as programs hold them: f32, where a subnormal one is 0."""

import math
from typing import Any

import numpy as np

SMALLEST = float(np.finfo(np.float32).tiny)  # 2^-126, the least that is not flushed


def single(number: Any) -> float:
    """The nearest f32, or NaN where that is 0 or infinite and the number is not.

    So `0 < single(x) < math.inf` asks of x what a program needs of it: 1e-46 is positive
    and 1e39 finite for Python, and neither is so on a device; 1 - 1e-9 is below 1, and
    is 1 there.

    Args:
        number: any real number, infinities and NaN among them. What is none, such as a
            text, a bool or a traced value, is NaN, so that the same question refuses it.
    """
    if isinstance(number, bool | str | bytes | list | tuple | complex):
        return math.nan
    try:
        with np.errstate(over="ignore"):
            nearest = float(np.float32(number))
    except (
        OverflowError,
        TypeError,
        ValueError,
    ):  # beyond the largest f64, or no number
        return math.nan
    flushed = abs(nearest) < SMALLEST and number != 0
    overflown = math.isinf(nearest) and not math.isinf(number)
    return math.nan if flushed or overflown else nearest
