"""Levels of least variance for stochastic rounding of magnitudes in [0, 1]: ALQ's design.

Lengths are in units of the fitted deviation where they are called z, and probabilities
are those of what lies above, which f32 holds to 13 deviations: beyond 5 it rounds those
of what lies below to 1.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc, ndtri

_WIDER = np.float32(3.0**0.5)  # a normal density^(1/3) is one of sqrt(3) deviations
_LOCATIONS = np.linspace(
    -5.0, 8.0, 261
)  # mu / sigma, from nearly exponential to normal
_LAST = np.linspace(0.1, 12.0, 64)  # where the last inner level may be, in deviations


class Fit(NamedTuple):
    """A normal density cut off below 0: f32[] each.

    Attributes:
        location, deviation: mu and sigma of the normal.
    """

    location: jax.Array
    deviation: jax.Array

    def z(self, r: jax.Array | float) -> jax.Array:
        """r in deviations from mu."""
        return (r - self.location) / self.deviation


def least_variance(
    mean: jax.Array, deviation: jax.Array, top: int, sweeps: int
) -> jax.Array:
    """Levels 0 = l_0 < ... < l_top = 1 with the least sum_j int (l_(j+1) - r)(r - l_j) dF.

    F is the truncated normal of that mean and deviation, see `fitted`. Coordinate descent
    is slow where there are many levels: it starts at the quantiles of p^(1/3), the best
    point density for many, up to a last inner level l at which

        (int_0^l p^(1/3))^3 / (6 (top - 1)^2)  +  (1 - l) E max(0, r - l)

    is least: the gap to 1 is a hundred deviations wide where r is x / ||x||. A sweep moves
    each second level, which do not depend on each other, and then the others.

    Args:
        mean, deviation: of r, f32[].
        top: s, 1 or more.
        sweeps: 0 or more.

    Returns:
        f32[top + 1], in ascending order.
    """
    fit = fitted(mean, deviation)
    levels = _companded(fit, top)

    def half_sweep(i, levels):
        mine = jnp.arange(1, top) % 2 != i % 2
        inner = jnp.where(mine, _best_between(fit, levels), levels[1:-1])
        return levels.at[1:-1].set(inner)

    return jax.lax.fori_loop(0, 2 * sweeps, half_sweep, levels)


def fitted(mean: jax.Array, deviation: jax.Array) -> Fit:
    """The normal density above 0 that has this mean and deviation there.

    With a = mu / sigma and h = phi(a) / Phi(a), they are sigma (a + h) and
    sigma sqrt(1 - h (h + a)): a half-normal has mu = 0. A mean below 1.03 deviations, as of
    tails that are heavier than exponential, has no such density: a = -5 is taken, of that
    deviation.
    """
    deviation = jnp.maximum(deviation, 1e-6)
    means, deviations = _truncated_moments()
    ratio = mean / deviation
    a = jnp.interp(ratio, means / deviations, _LOCATIONS.astype(np.float32))
    sigma = deviation / jnp.interp(a, _LOCATIONS.astype(np.float32), deviations)
    return Fit(jnp.where(ratio > _LOCATIONS[-1], mean, a * sigma), sigma)


@partial(jax.jit, inline=True)
def _above(z: jax.Array) -> jax.Array:
    """P(Z > z) of standard normal Z, precise in the far tail."""
    return 0.5 * erfc(z * np.float32(0.5**0.5))


def _excess(z: jax.Array, above: jax.Array) -> jax.Array:
    """E max(0, Z - z) of standard normal Z that exceeds z with odds `above`."""
    return jnp.exp(-0.5 * z * z) * np.float32((2 * np.pi) ** -0.5) - z * above


def _truncated_moments() -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of a normal cut off below 0, sigma = 1, at each location."""
    from flq_jax.quantizers.normal import ndtr

    density = np.exp(-0.5 * _LOCATIONS**2) / np.sqrt(2 * np.pi)
    hazard = density / ndtr(_LOCATIONS)
    variance = 1 - hazard * (hazard + _LOCATIONS)
    means, deviations = _LOCATIONS + hazard, np.sqrt(variance)
    return means.astype(np.float32), deviations.astype(np.float32)


def _companded(fit: Fit, top: int) -> jax.Array:
    """Levels at the quantiles of p^(1/3), the last of which at the best place."""
    gaps = max(top - 1, 1)
    start = jnp.maximum(fit.z(0.0), -8.0)
    last = jnp.minimum(fit.location + fit.deviation * (start + _LAST), 1.0)
    z = fit.z(last)
    # One call for all: each is some hundred operations to compile.
    all_above, *above = jnp.split(
        _above(jnp.concatenate([start[None] / _WIDER, z / _WIDER, z])),
        [1, 1 + z.size],
    )
    below = all_above - above[0]
    # int p^(1/3) = below sqrt(3) (2 pi)^(1/3) sigma^(2/3), for the standard normal's p.
    cube = np.float32(_WIDER**3 * 2 * np.pi) * below**3 * fit.deviation**2
    beyond = (1.0 - last) * fit.deviation * _excess(z, above[1])
    best = jnp.argmin(cube / (6 * gaps**2) + beyond)
    share = all_above - below[best] * jnp.arange(top) / gaps
    inner = fit.location - fit.deviation * _WIDER * _quantile(share)
    inner = jnp.clip(inner, 0.0, last[best])
    return jax.lax.cummax(jnp.concatenate([inner.at[0].set(0.0), jnp.ones(1)]))


def _best_between(fit: Fit, levels: jax.Array) -> jax.Array:
    """Each inner level where the variance is least, given its neighbours, f32[top - 1].

    1 - F(l_j) = 1 - F(l_(j+1)) + int_(l_(j-1))^(l_(j+1)) (r - l_(j-1)) / (l_(j+1) - l_(j-1)) dF.
    """
    z = fit.z(levels)
    above = _above(z)
    excess = _excess(z, above)
    gap = jnp.maximum(z[2:] - z[:-2], 1e-30)
    first = excess[:-2] - excess[2:] - gap * above[2:]
    best = fit.location - fit.deviation * _quantile(above[2:] + first / gap)
    best = jnp.clip(best, levels[:-2], levels[2:])
    return jnp.where(above[:-2] - above[2:] > 1e-12, best, levels[1:-1])


def _quantile(share: jax.Array) -> jax.Array:
    return ndtri(jnp.clip(share, 1e-37, 1.0 - 1e-7))
