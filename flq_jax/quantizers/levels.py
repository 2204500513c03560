"""Unbiased stochastic rounding to any levels of magnitude: NUQSGD, ALQ, natural."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_choice, require_integer
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, require_bits
from flq_jax.quantizers.least_variance import least_variance
from flq_jax.quantizers.stochastic import NORMS

_FEW = 32  # up to so many levels a pass of compares outruns a search and look-ups


def nuqsgd(bits: int, norm: str = "l2") -> Quantizer:
    """Rounds |x_i| / ||x|| at random between powers of two (Ramezani-Kebrya et al. 2021).

    The levels are 0, 2^-(s-1), ..., 1/2, 1 with s = 2**(bits - 1) - 1; r between two of
    them, l <= r <= h, becomes h with probability (r - l) / (h - l). Unbiased, with
    E (x_hat_i - x_i)^2 = ||x||^2 (h - r)(r - l).

    Args:
        bits: bits per coordinate, sign included, 2 to 8; ValueError otherwise.
        norm: "l2" or "max"; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, s standing for zero, and f32[1]
        side = ||x||; it costs bits * d + 32 bits. x = 0 decodes to exactly 0.
    """
    require_bits("nuqsgd", bits, low=2)
    require_choice("nuqsgd", "norm", norm, NORMS)
    top = 2 ** (bits - 1) - 1
    levels = jnp.exp2(jnp.arange(-top, 1, dtype=jnp.float32)).at[0].set(0.0)
    return _rounding(f"nuqsgd{bits}-{norm}", bits, norm, 1, lambda r: levels)


def alq(bits: int, norm: str = "l2", sweeps: int = 10) -> Quantizer:
    """Rounds |x_i| / ||x|| at random between levels of least variance (Faghri et al. 2020).

    A normal density truncated to [0, 1] is fitted to r = |x| / ||x|| by mean and variance,
    and coordinate descent sets each inner level where the variance
    sum_j int (l_(j+1) - r)(r - l_j) dF is least,

        F(l_j) = F(l_(j+1)) - int_(l_(j-1))^(l_(j+1)) (r - l_(j-1)) / (l_(j+1) - l_(j-1)) dF,

    which is unbiased whatever the fit. The s - 1 inner levels travel with the message.

    The paper starts from even and from exponential levels and keeps the best; the start
    here, see `least_variance`, is near the optimum, so that ten sweeps come to it with 127
    levels as with 3. On normal x the error is then within a quarter of the least there is,

        E ||x_hat - x||^2 / ||x||^2 = 1.36 / s^2  ("max"),   1.36 / (s - 1)^2  ("l2"),

    from 3 bits on, and that of Laplacian x within twice of these. Tails that are much
    heavier have no normal fit: few levels serve them as well as others, beyond 4 bits
    `nuqsgd` serves them better.

    Args:
        bits: bits per coordinate, sign included, 2 to 8; ValueError otherwise.
        norm: "l2" or "max"; ValueError otherwise.
        sweeps: of the coordinate descent, 1 or more; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes and s = 2**(bits - 1) - 1 sides:
        ||x|| and the inner levels; it costs bits * d + 32 s bits. x = 0 decodes to 0.
    """
    require_bits("alq", bits, low=2)
    require_choice("alq", "norm", norm, NORMS)
    require_integer("alq", "sweeps", sweeps, 1)
    top = 2 ** (bits - 1) - 1

    def levels(r):
        return least_variance(jnp.mean(r), jnp.std(r), top, sweeps)

    return _rounding(f"alq{bits}-{norm}", bits, norm, top, levels)


def _between(levels: jax.Array, r: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The last level j <= r but for the top one, its value and the next, of r in [0, 1]."""
    if levels.size > _FEW:
        inner = jnp.searchsorted(levels[1:-1], r, side="right")
        return inner, levels[inner], levels[inner + 1]
    cell = jnp.zeros(r.shape, jnp.int32)
    low, high = levels[0], levels[1]
    for j in range(1, levels.size - 1):
        reached = r >= levels[j]
        cell += reached.astype(jnp.int32)
        low = jnp.where(reached, levels[j], low)
        high = jnp.where(reached, levels[j + 1], high)
    return cell, low, high


def _looked_up(levels: jax.Array, number: jax.Array) -> jax.Array:
    """levels[number], for i32[d]."""
    if levels.size > _FEW:
        return levels[number]
    values = jnp.full(number.shape, levels[0])
    for j in range(1, levels.size):
        values = jnp.where(number >= j, levels[j], values)
    return values


def _rounding(
    scheme: str,
    bits: int,
    norm: str,
    num_sides: int,
    levels_of: Callable[[jax.Array], jax.Array],
) -> Quantizer:
    """Unbiased rounding of |x| / ||x|| to levels [s + 1]; inner ones are sent if sides > 1."""
    top = 2 ** (bits - 1) - 1

    def layout(d):
        return Layout.of(scheme, bits, d, num_sides)

    def encode(key, x):
        scale = NORMS[norm](x)
        r = jnp.minimum(jnp.abs(x) / jnp.where(scale > 0.0, scale, 1.0), 1.0)
        levels = levels_of(r)
        cell, low, high = _between(levels, r)
        chance = (r - low) / jnp.where(high > low, high - low, 1.0)
        number = cell + (draws.uniform(key, x.shape) < chance)
        codes = jnp.where(x < 0.0, top - number, top + number).astype(jnp.uint8)
        side = jnp.concatenate([scale[None], levels[1:num_sides]])
        return Message(codes, side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        if num_sides == 1:
            levels = levels_of(jnp.zeros(1))
        else:
            inner = message.side[1:]
            levels = jnp.concatenate([jnp.zeros(1), inner, jnp.ones(1)])
        number = message.codes.astype(jnp.int32) - top
        return message.side[0] * jnp.sign(number) * _looked_up(levels, jnp.abs(number))

    return Quantizer(encode, decode, layout)
