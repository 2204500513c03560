"""The uniform grid, with a measured radius (LAQ) or a prescribed one (Magnusson)."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_callable
from flq_jax.quantizers.base import Layout, Message, Quantizer, as_bytes, require_bits
from flq_jax.single import single

_LEAST = 3e-36  # a radius: 255 times the least normal float


def uniform(
    bits: int, radius: Callable[[jax.Array | int], jax.Array] | None = None
) -> Quantizer:
    """Rounds each coordinate to the nearest of 2**bits levels in [-R, R].

    With tau = 1 / (2**bits - 1)  (Sun et al. 2019, Eqs. 5-6):

        code_i  = floor((x_i + R) / (2 tau R) + 1/2)
        x_hat_i = 2 tau R code_i - R,   hence   |x_i - x_hat_i| <= tau R.

    The radius is measured, R = max_i |x_i|, and sent along; or it is prescribed for
    each round (Magnusson et al. 2020, Eq. 13), known to both ends and not sent. An x
    outside a prescribed radius is an overload: it saturates at +-R, the bound does not
    hold, and `overload` says so.

    Args:
        bits: bits per coordinate, 1 to 8; ValueError otherwise. A prescribed radius
            needs 2 or more: with one bit the error bound is the radius itself, so that
            no shrinking sequence of grids can follow x.
        radius: round index i32[] -> R f32[], see `geometric`, else TypeError; None
            measures it. Its
            `__name__` is a part of the scheme's name.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes and, if the radius is measured,
        f32[1] side = R; it costs bits * d + 32 bits, or bits * d with a prescribed
        radius. With a measured radius x = 0 decodes to exactly 0. A radius below 3e-36,
        whose steps f32 may not hold, counts as 0.
    """
    require_bits("uniform", bits)
    if radius is None:
        return _measured(bits)
    require_callable("uniform", "radius", radius)
    if bits == 1:
        raise ValueError(
            "uniform: a prescribed radius needs bits >= 2 (at 1 bit the error bound "
            f"r / (2**bits - 1) is the radius itself and never contracts), got {bits=}"
        )
    name = f"uniform{bits}-{getattr(radius, '__name__', 'prescribed')}"
    first = _prescribed(name, bits, radius(jnp.int32(0)))
    return first._replace(schedule=lambda k: _prescribed(name, bits, radius(k)))


def geometric(scale: float, rate: float) -> Callable[[jax.Array | int], jax.Array]:
    """The prescribed radius r^k = scale * rate**k (Magnusson et al. 2020).

    Args:
        scale: K > 0, the radius of round 0, in the units of x; ValueError otherwise.
        rate: alpha in (0, 1]; ValueError otherwise.
    """
    if not 0.0 < single(scale) < math.inf:
        raise ValueError(f"geometric: scale must be positive and finite, got {scale=}")
    if not 0.0 < single(rate) <= 1.0:
        raise ValueError(f"geometric: rate must be in (0, 1], got {rate=}")

    def radius(k):
        return jnp.float32(scale) * jnp.float32(rate) ** k

    radius.__name__ = f"geometric({float(scale)},{float(rate)})"
    return radius


def _measured(bits: int) -> Quantizer:
    def layout(d):
        return Layout.of(f"uniform{bits}", bits, d, 1)

    def encode(key, x):
        del key  # deterministic
        radius = _resolved(jnp.max(jnp.abs(x)))
        codes = _codes(bits, x, radius)
        return Message(codes, radius[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        (radius,) = message.side
        return _levels(bits, message.codes, radius)

    return Quantizer(encode, decode, layout)


def _prescribed(name: str, bits: int, radius: jax.Array) -> Quantizer:
    radius = _resolved(radius)

    def layout(d):
        return Layout.of(name, bits, d, 0)

    def encode(key, x):
        del key  # deterministic
        codes = _codes(bits, jnp.clip(x, -radius, radius), radius)
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return _levels(bits, message.codes, radius)

    def overload(x):
        return jnp.max(jnp.abs(x)) > radius

    return Quantizer(encode, decode, layout, overload)


def _resolved(radius: jax.Array) -> jax.Array:
    """The radius, or 0 if its steps may be no normal floats."""
    return jnp.where(radius < _LEAST, 0.0, radius)


def _codes(bits: int, x: jax.Array, radius: jax.Array) -> jax.Array:
    """The nearest grid points' numbers, u8[d]."""
    step = 2.0 / (2**bits - 1) * radius
    step = jnp.where(step > 0.0, step, 1.0)
    return as_bytes(jnp.floor((x + radius) / step + 0.5))


def _levels(bits: int, codes: jax.Array, radius: jax.Array) -> jax.Array:
    """The grid points with these numbers, f32[d]."""
    step = 2.0 / (2**bits - 1) * radius
    return step * codes.astype(jnp.float32) - radius
