"""Rotate, quantize as a Gaussian, scale: DRIVE, DRIVE+ and EDEN.

A random rotation makes the entries of any x nearly Gaussian, so that one codebook fits
all. In the rotated space c is the message's estimate of z = R x, and x_hat = S R^-1 c
with one of two scales (Vargaftik et al. 2021, 2022):

    S = ||x||^2 / <c, z>     unbiased over rotations, <x_hat, x> = ||x||^2,
    S = <c, z> / ||c||^2     the least error for this c.

With D the codebook's mean squared error on a unit Gaussian, ||x - x_hat||^2 / ||x||^2
comes to D / (1 - D) and D as d grows. The unbiasedness is exact for uniformly random
rotations; with the Hadamard transform it holds up to terms that vanish with d.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.arguments import require_flag
from flq_jax.precision import EXACT
from flq_jax.quantizers.base import Message, Quantizer
from flq_jax.quantizers.densities import of_source
from flq_jax.quantizers.folding import equal_widths, fold, folded_layout, unfold
from flq_jax.quantizers.ranges import normalised
from flq_jax.quantizers.rotation import padded_size, rotate, unrotate
from flq_jax.single import single

_TWO_MEANS_STEPS = 3


def drive(unbiased: bool = True) -> Quantizer:
    """The signs of R x and one scale (Vargaftik et al. 2021).

        x_hat = S R^-1 sign(R x),   S = ||x||^2 / ||R x||_1  or  ||R x||_1 / n.

    ||x - x_hat||^2 / ||x||^2 tends to pi/2 - 1 = 0.571 or to 1 - 2/pi = 0.363.

    Args:
        unbiased: which scale, the first or the second.

    Returns:
        A `Quantizer` on f32[d]. A message is d folded codes of n bits in all, n the next
        power of two, and f32[1] side = S; n + 32 bits. x = 0 decodes to exactly 0.
    """
    require_flag("drive", "unbiased", unbiased)
    name = f"drive-{_scale_name(unbiased)}"

    def encode(key, x):
        unit, top = normalised(x)
        z = rotate(key, unit)
        scale = top * _scale(z, jnp.where(z >= 0.0, 1.0, -1.0), unbiased)
        codes = fold((z >= 0.0), equal_widths(1, x.size), x.size)
        return Message(codes, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        signs = unfold(message.codes, equal_widths(1, message.codes.size))
        (scale,) = message.side
        z = jnp.where(signs > 0, scale, -scale)
        return unrotate(key, z, message.codes.size)

    def layout(d):
        return folded_layout(name, equal_widths(1, d), d, 1)

    return Quantizer(encode, decode, layout)


def drive_plus(unbiased: bool = True) -> Quantizer:
    """Two means of R x instead of signs (Vargaftik et al. 2021, DRIVE+).

    The means come from three steps of Lloyd's iteration, from -+ the mean magnitude. Its
    error is never above that of `drive` but for rounding, and the same in the limit.

    Args:
        unbiased: the scale S, see `drive`.

    Returns:
        A `Quantizer` on f32[d]. A message is d folded codes of n bits in all and f32[2]
        side, the scaled means; n + 64 bits. x = 0 decodes to exactly 0.
    """
    require_flag("drive_plus", "unbiased", unbiased)
    name = f"drive_plus-{_scale_name(unbiased)}"

    def encode(key, x):
        unit, top = normalised(x)
        z = rotate(key, unit)
        low, high = _two_means(z)
        above = z >= 0.5 * (low + high)
        scale = _scale(z, jnp.where(above, high, low), unbiased)
        codes = fold(above, equal_widths(1, x.size), x.size)
        side = top * scale * jnp.stack([low, high])
        return Message(codes, side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        above = unfold(message.codes, equal_widths(1, message.codes.size)) > 0
        low, high = message.side
        return unrotate(key, jnp.where(above, high, low), message.codes.size)

    def layout(d):
        return folded_layout(name, equal_widths(1, d), d, 2)

    return Quantizer(encode, decode, layout)


def eden(bits: float, unbiased: bool = True) -> Quantizer:
    """Gaussian Lloyd-Max levels for R x, at any rate (Vargaftik et al. 2022).

    z = R x is scaled to unit variance. With f the fraction of `bits`, a share f of its
    entries gets one bit more than the others, and no bits at all means c_i = 0: so a
    rate below 1 is a random sample of the entries. They are a cyclic window at an offset
    that both ends draw, which any entry is in with odds f. With D_b the error of 2**b
    levels, D_0 = 1, the error tends to

        ||x - x_hat||^2 / ||x||^2 = D / (1 - D),  D = (1 - f) D_b + f D_(b+1),

    or to D with the scale of least error: 0.571, 0.133, 0.0358, 0.00959 at 1 to 4 bits.

    Args:
        bits: bits an entry of z, above 0 and at most 8; ValueError otherwise.
        unbiased: the scale S, see the module.

    Returns:
        A `Quantizer` on f32[d]. With n the next power of two and b = ceil(bits) - 1, a
        message is d folded codes of b n + max(1, round((bits - b) n)) bits in all, and
        f32[1] side = S, with 32 bits more. x = 0 decodes to exactly 0.
    """
    if not 0.0 < single(bits) <= 8.0:
        raise ValueError(f"eden: bits must be a number in (0, 8], got {bits=}")
    require_flag("eden", "unbiased", unbiased)
    name = f"eden{float(bits)}-{_scale_name(unbiased)}"
    low = math.ceil(bits) - 1  # the last of the widths is `low` only where bits is not

    def widths(d):
        n = padded_size(d)
        wider = max(round((bits - low) * n), 1)
        return ((low + 1, wider), (low, n - wider))[: 1 + (wider < n)]

    def by_width(widths, of):
        """of(low + 1) where an entry has that width, of(low) elsewhere."""
        (_, wider), *others = widths
        if not others:
            return of(low + 1)
        n = wider + others[0][1]
        return jnp.where(jnp.arange(n) < wider, of(low + 1), of(low))

    def estimate(codes, widths):
        return by_width(widths, lambda b: jnp.asarray(_gaussian(b))[codes])

    def encode(key, x):
        key_rotation, key_offset = jax.random.split(key)
        unit, top = normalised(x)
        z = rotate(key_rotation, unit)
        z = jnp.roll(z, -_offset(key_offset, z.size))
        deviation = jnp.sqrt(jnp.mean(jnp.square(z)))
        normal = z / jnp.where(deviation > 0.0, deviation, 1.0)
        wide = widths(x.size)
        codes = by_width(wide, lambda b: _nearest(normal, b))
        scale = top * _scale(z, estimate(codes, wide), unbiased)
        folded = fold(codes, wide, x.size)
        return Message(folded, scale[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        key_rotation, key_offset = jax.random.split(key)
        d = message.codes.size
        (scale,) = message.side
        z = scale * estimate(unfold(message.codes, widths(d)), widths(d))
        z = jnp.roll(z, _offset(key_offset, z.size))
        return unrotate(key_rotation, z, d)

    def layout(d):
        return folded_layout(name, widths(d), d, 1)

    return Quantizer(encode, decode, layout)


def _scale_name(unbiased: bool) -> str:
    return "unbiased" if unbiased else "nearest"


def _scale(z: jax.Array, c: jax.Array, unbiased: bool) -> jax.Array:
    """S of the module's docstring, f32[]; 0 where z or c is 0."""
    dot = partial(jnp.vdot, precision=EXACT)
    along = dot(c, z)
    over, under = (dot(z, z), along) if unbiased else (along, dot(c, c))
    return over / jnp.where(under == 0.0, 1.0, under)


def _two_means(z: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lloyd's iteration for two levels, each f32[]; one that nothing is near stays."""

    def mean(z, where, otherwise):
        count = jnp.sum(where)
        total = jnp.sum(jnp.where(where, z, 0.0))
        return jnp.where(count > 0, total / jnp.maximum(count, 1), otherwise)

    high = jnp.mean(jnp.abs(z))
    low = -high
    for _ in range(_TWO_MEANS_STEPS):
        above = z >= 0.5 * (low + high)
        low, high = mean(z, ~above, low), mean(z, above, high)
    return low, high


def _gaussian(bits: int) -> np.ndarray:
    """The Lloyd-Max levels of a unit Gaussian, f32[2**bits]; of no bits its mean."""
    levels = of_source("gaussian", 2**bits) if bits else np.zeros(1)
    return levels.astype(np.float32)


def _nearest(normal: jax.Array, bits: int) -> jax.Array:
    """The nearest Gaussian levels' numbers, i32[n]."""
    levels = _gaussian(bits)
    thresholds = jnp.asarray(0.5 * (levels[1:] + levels[:-1]))
    if bits == 0:
        return jnp.zeros(normal.shape, jnp.int32)
    # All comparisons at once are faster while there are few.
    method = "compare_all" if bits <= 4 else "scan_unrolled"
    return jnp.searchsorted(thresholds, normal, method=method)


def _offset(key: jax.Array, n: int) -> jax.Array:
    return jax.random.randint(key, (), 0, n)
