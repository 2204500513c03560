"""What a model is judged by: a number of each example, and what becomes of the mean."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from flq_jax.arguments import require_callable, require_choice

BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Metric:
    """A figure of merit, and in which direction lies what is better.

    Attributes:
        function: (params, inputs [b, ...], targets [b, ...]) -> a value of each example,
            [b], of which the mean is taken; or [b, k], if of_mean makes one number of the
            k means, such as a ratio of sums.
        better: "higher" or "lower"; ValueError otherwise.
        of_mean: f64[] or f64[k] -> the figure, such as a root or an exponential, in NumPy
            on the host; None for the mean itself.
    """

    function: Callable[..., jax.Array]
    better: str = "higher"
    of_mean: Callable[[np.ndarray], Any] | None = None

    def __post_init__(self):
        require_callable("Metric", "function", self.function)
        require_choice("Metric", "better", self.better, BETTER)
        if self.of_mean is not None:
            require_callable("Metric", "of_mean", self.of_mean)

    def __call__(self, params: Any, inputs: jax.Array, targets: jax.Array) -> jax.Array:
        """The value of each example."""
        return self.function(params, inputs, targets)


def figure(metric: Any, total: np.ndarray, count: int) -> float | None:
    """The figure of a metric, or of a plain function, from the sum over `count` examples.

    None where it is not finite, as a perplexity beyond all floats, or 0 / 0.
    """
    of_mean = getattr(metric, "of_mean", None)
    if of_mean is None:
        return np.asarray(total).item() / count
    with np.errstate(all="ignore"):
        found = float(of_mean(np.asarray(total, np.float64) / count))
    return found if math.isfinite(found) else None


def ratio(means: np.ndarray) -> float:
    """The first of two means by the second: of sums, what one counts of the other."""
    return means[0] / means[1]
