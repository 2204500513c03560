"""The three inverse functions behind the closed forms, and a bisection.

All are elementwise, of fixed cost, and as exact as their argument's dtype allows.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

# phi(v) = 1 + (v - 1) e^v = sum_{k >= 2} (k - 1) v^k / k!, highest power first.
_FACTORIALS = np.cumprod(np.arange(1.0, 19.0))
_PHI_SERIES = ((np.arange(2, 19) - 1) / _FACTORIALS[1:])[::-1].tolist()


def lambert_w(x: jax.Array) -> jax.Array:
    """The principal branch W_0 of Lambert's function: W e^W = x, W >= -1.

    Halley's iteration in a form without overflow (Corless et al. 1996, Sec. 4), from
    the branch-point series below zero and the start of Iacono & Boyd (2017) above it.

    Args:
        x: f[...], at least -1/e; NaN below. Near -1/e the root is a square root, and
            `one_plus_lambert_w` keeps the digits that are lost here.
    """
    x = jnp.asarray(x)
    slack = 4 * jnp.finfo(x.dtype).eps
    gap = jnp.e * x + 1.0
    gap = jnp.where(jnp.abs(gap) < slack, 0.0, gap)
    log = jnp.log1p(jnp.maximum(x, 0.0))
    above = log * (1.0 - jnp.log1p(log) / (2.0 + log))
    w = jnp.where(x < 0.0, _branch_series(gap) - 1.0, above)
    for _ in range(4):
        f = w - x * jnp.exp(-w)
        slope = 1.0 + w - (w + 2.0) * f / jnp.maximum(2.0 * (1.0 + w), slack)
        w = jnp.where(1.0 + w > slack, w - f / slope, w)
    return w


def phi(v: jax.Array) -> jax.Array:
    """1 + (v - 1) e^v for v >= 0, by its series where the difference would cancel."""
    near = jnp.minimum(v, 0.5)
    series = jnp.zeros_like(v)
    for coefficient in _PHI_SERIES:
        series = series * near + coefficient
    return jnp.where(v < 0.5, series * near * near, 1.0 + (v - 1.0) * jnp.exp(v))


def one_plus_lambert_w(y: jax.Array) -> jax.Array:
    """v = 1 + W_0((y - 1) / e), the root of 1 + (v - 1) e^v = y.

    Sending with spectral efficiency v (nats per second and hertz) for a time tau takes
    the energy tau (e^v - 1) / snr_per_w; in units of 1 / snr_per_w, y = phi(v) is the
    energy saved per second of more time. So v is what a price on time, or on bandwidth,
    makes of the link (Tran et al. 2019, SUB2). v ~ sqrt(2 y) keeps its digits as y -> 0.

    Args:
        y: f[...], 0 or more; NaN below.
    """
    y = jnp.asarray(y)
    small = jnp.minimum(y, 1.0)
    v = _branch_series(small)
    for _ in range(4):
        f, df, ddf = phi(v) - small, v * jnp.exp(v), (1.0 + v) * jnp.exp(v)
        scale = 2.0 * df * df - f * ddf
        v = jnp.where(v > 0.0, v - 2.0 * f * df / jnp.where(v > 0.0, scale, 1.0), v)
    return jnp.where(y > 1.0, 1.0 + lambert_w(jnp.maximum(y - 1.0, 0.0) / jnp.e), v)


def inverse_exprel(a: jax.Array) -> jax.Array:
    """The u >= 0 at which (e^u - 1) / u = a.

    A link of spectral efficiency u spends a times the energy per bit that it would need
    with unlimited bandwidth. Newton's iteration on log((e^u - 1) / u), convex, with
    slope in [1/2, 1]: it falls to the root from u = 2 log a.

    Args:
        a: f[...], 1 or more; infinity gives infinity, and below 1 there is no root: NaN.
    """
    a = jnp.asarray(a)
    log_a = jnp.where(jnp.isfinite(a) & (a > 1.0), jnp.log(a), 0.0)
    u = 2.0 * log_a
    for _ in range(7):
        safe = jnp.maximum(u, jnp.finfo(a.dtype).tiny)
        value = safe + jnp.log(-jnp.expm1(-safe) / safe)
        slope = jnp.where(
            safe < 0.02, 0.5 + safe / 12.0, -1.0 / jnp.expm1(-safe) - 1.0 / safe
        )
        u = jnp.maximum(u - (value - log_a) / slope, 0.0)
    return jnp.where(jnp.isposinf(a), jnp.inf, jnp.where(a >= 1.0, u, jnp.nan))


def bisect(
    too_low: Callable[[jax.Array], jax.Array],
    low: jax.Array,
    high: jax.Array,
    num_steps: int = 80,
) -> tuple[jax.Array, jax.Array]:
    """Halves [low, high] around the point where a monotone predicate turns false.

    Args:
        too_low: f[...] -> bool[...], true left of the point and false right of it.
        low: f[...], assumed to be too low.
        high: f[...], assumed not to be.
        num_steps: halvings; 80 leave nothing to halve in float64.

    Returns:
        (low, high) after the last step: the two sides of the point.
    """

    def halve(_, bounds):
        low, high = bounds
        middle = low + 0.5 * (high - low)
        up = too_low(middle)
        return jnp.where(up, middle, low), jnp.where(up, high, middle)

    return jax.lax.fori_loop(0, num_steps, halve, (low, high))


def _branch_series(y: jax.Array) -> jax.Array:
    """1 + W_0((y - 1) / e) to third order in p = sqrt(2 y)."""
    p = jnp.sqrt(2.0 * y)
    return p * (1.0 - p * (1.0 / 3.0 - p * (11.0 / 72.0)))
