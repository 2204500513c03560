"""Packed words as int8 codes, the form in which tensor cores and MXUs take them.

Eight bits do not fit a signed byte: such codes travel as c - 128, which flips their
highest bit, and the product of codes is restored from sums that are known anyway:

    sum c_a c_b = sum u_a u_b + o_a sum c_b + o_b sum c_a - K o_a o_b,   u = c - o.

Both forms cover the unused bits of the last word: code 0, u = -o.
"""

from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.kernels.geometry import Geometry, taps
from flq_jax.kernels.packing import WORD_BITS

BYTE_LOW_BITS = 0x01010101
BYTE_HIGH_BITS = -0x7F7F7F80  # 0x80808080 as i32


def offset(bits: int) -> int:
    """o of u = c - o: 128 for eight bits, else 0."""
    return 128 if bits == 8 else 0


def byte_lanes(words, place: int) -> jax.Array:
    """Bits place, place + 8, + 16 and + 24 of packed codes, as four bytes of a word.

    Args:
        words: i32[bits, ...] or as many i32[...], the planes.
        place: 0 to 7.

    Returns:
        i32[...] whose byte q is u of element 8 q + place, as int8.
    """
    bits = (
        lax.shift_right_logical(plane, jnp.full_like(plane, place)) for plane in words
    )
    lanes = reduce(add, ((bit & BYTE_LOW_BITS) << j for j, bit in enumerate(bits)))
    return lanes ^ BYTE_HIGH_BITS if len(words) == 8 else lanes


def restore(product: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
    """Sums of code products from those of the u, i32[m, n].

    Args:
        product: sum u_a u_b.
        a: i32[k, m, p], packed rows.
        b: i32[l, p, n], packed columns.
    """
    offset_a, offset_b = offset(a.shape[0]), offset(b.shape[0])
    if offset_a:
        product += offset_a * _sums(b, 0)[None, :]
    if offset_b:
        product += offset_b * _sums(a, 1)[:, None]
    return product - WORD_BITS * a.shape[2] * offset_a * offset_b


def restore_conv(
    product: jax.Array, x: jax.Array, w: jax.Array, geometry: Geometry, length: int
) -> jax.Array:
    """The same for a convolution, whose padded positions have the code 0.

    Args:
        product: sum u_x u_w, i32[n, ho, wo, o].
        x: i32[k, n, h, w, p], packed images.
        w: i32[l, kh, kw, p, o].
        geometry: of x and w.
        length: K, the terms of a sum, those of unused bits and words included.
    """
    offset_x, offset_w = offset(x.shape[0]), offset(w.shape[0])
    if offset_x:
        product += offset_x * _sums(w, (0, 1, 2))[None, None, None]
    if offset_w:
        seen = taps(_sums(x, -1)[..., None], geometry)
        product += offset_w * reduce(add, seen)
    return product - length * offset_x * offset_w


def _sums(words: jax.Array, axis: int | tuple[int, ...]) -> jax.Array:
    counts = (lax.population_count(plane).sum(axis) for plane in words)
    return reduce(add, (count << j for j, count in enumerate(counts)))
