"""Lloyd-Max levels of a density, whose samples `lloyd.design` would find nearly."""

from functools import cache

import numpy as np

from flq_jax.arguments import require_choice, require_integer
from flq_jax.quantizers.normal import ndtr, ndtri


@cache
def of_source(source: str, levels: int) -> np.ndarray:
    """The Lloyd-Max codebook of a density of zero mean and unit variance.

    Newton's iteration on c_j = E[x | t_(j-1) < x <= t_j], t_j = (c_j + c_(j+1)) / 2, whose
    Jacobian is tridiagonal; log-concave densities have one solution.

    Args:
        source: "gaussian" or "laplace"; ValueError otherwise.
        levels: k, 2 to 256; ValueError otherwise.

    Returns:
        The levels in ascending order, f64[k].
    """
    require_choice("of_source", "source", source, SOURCES)
    require_levels("of_source", levels)
    density, below, first_below, start = SOURCES[source]
    c = start((np.arange(levels) + 0.5) / levels)
    for _ in range(50):
        t = np.concatenate([[-np.inf], (c[1:] + c[:-1]) / 2, [np.inf]])
        mass, first = np.diff(below(t)), np.diff(first_below(t))
        mean, inner, f = first / mass, t[1:-1], density(t[1:-1])
        up = 0.5 * f * (inner - mean[:-1]) / mass[:-1]  # d mean_j / d c_j = that by t_j
        down = 0.5 * f * (mean[1:] - inner) / mass[1:]
        slope = np.zeros((levels, levels))
        index = np.arange(levels - 1)
        slope[index, index] += up
        slope[index, index + 1] += up
        slope[index + 1, index + 1] += down
        slope[index + 1, index] += down
        # Two Laplace levels may shift together at no cost; the mean of the two is at 0.
        jacobian = (1 + 1e-9) * np.eye(levels) - slope
        step = np.linalg.solve(jacobian, mean - c)
        step = 0.5 * (step - step[::-1])
        c = c + step
        if np.abs(step).max() < 1e-10:
            break
    return 0.5 * (c - c[::-1])


def require_levels(where: str, levels: int) -> None:
    """Raises ValueError unless `levels` is an integer in 2..256."""
    require_integer(where, "levels", levels, 2, 256)


def _normal(t: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi)


def _laplace_below(t: np.ndarray) -> np.ndarray:
    tail = 0.5 * np.exp(-np.sqrt(2) * np.abs(t))
    return np.where(t < 0, tail, 1 - tail)


def _laplace_first(t: np.ndarray) -> np.ndarray:
    """The integral of u f(u) up to t: -(|t| + 1/sqrt 2) e^(-sqrt 2 |t|) / 2."""
    far = np.minimum(np.abs(t), 1e3)
    return -0.5 * (far + np.sqrt(0.5)) * np.exp(-np.sqrt(2) * far)


def _laplace_start(u: np.ndarray) -> np.ndarray:
    return -3 / np.sqrt(2) * np.sign(u - 0.5) * np.log1p(-2 * np.abs(u - 0.5))


# source: density, its integral, that of x times it, quantiles of density^(1/3)
SOURCES = {
    "gaussian": (
        _normal,
        ndtr,
        lambda t: -_normal(t),
        lambda u: np.sqrt(3) * ndtri(u),
    ),
    "laplace": (
        lambda t: np.exp(-np.sqrt(2) * np.abs(t)) / np.sqrt(2),
        _laplace_below,
        _laplace_first,
        _laplace_start,
    ),
}
