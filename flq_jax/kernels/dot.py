"""Exact integer products on the units that multiply: f32, bf16 into f32, i8 into i32.

A value of 8 bits is exact in bf16; a sum is exact in f32 while it stays below 2^24 in
magnitude, and in i32 always; a value fits int8 up to 127. A matrix product of floats
whose sums are too large is cut along them, and the pieces are added up in i32. Int8
operands that are too large, and those of convolutions, are split, v = 16 h + l, and the
parts' products are added up.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.kernels.geometry import DIMENSIONS, Geometry
from flq_jax.kernels.packing import Codes

EXACT_F32 = 2**24
HIGH = 16


def matmul(a: Codes, b: Codes, dtype=jnp.float32) -> jax.Array:
    """As `reference.matmul`; `dtype` f32, bf16 or i8 is that of the parts multiplied."""
    if dtype == jnp.int8:
        return _split_product(a, b, a.codes.shape[1], dtype, lax.dot)
    left, right = a.values.astype(dtype), b.values.astype(dtype)
    total = jnp.zeros((left.shape[0], right.shape[1]), jnp.int32)
    # The result fits 31 bits, so that there are 129 pieces at most.
    for piece in _pieces(left.shape[1], exact_length(a.bits, b.bits)):
        product = lax.dot(
            left[:, piece], right[piece], preferred_element_type=jnp.float32
        )
        total += _whole(product)
    return total


def exact_length(a_bits: int, b_bits: int) -> int:
    """How many products of codes of those widths add up exactly in f32."""
    return (EXACT_F32 - 1) // ((2**a_bits - 1) * (2**b_bits - 1))


def _pieces(length: int, most: int) -> list[slice]:
    """The fewest slices of at most `most` that cover the length, equal but the last."""
    step = -(-length // -(-length // most))
    return [slice(start, start + step) for start in range(0, length, step)]


def conv(
    x: Codes, w: Codes, geometry: Geometry, groups: int, dtype=jnp.float32
) -> jax.Array:
    """As `reference.conv`; `dtype` f32, bf16 or i8 is that of the parts multiplied."""

    def product(x, w, preferred_element_type):
        return lax.conv_general_dilated(
            x,
            w,
            geometry.stride,
            geometry.padding,
            rhs_dilation=geometry.dilation,
            dimension_numbers=DIMENSIONS,
            feature_group_count=groups,
            preferred_element_type=preferred_element_type,
        )

    kh, kw, channels, _ = w.codes.shape
    return _split_product(x, w, kh * kw * channels, dtype, product)


def num_products(a_bits: int, b_bits: int, length: int, dtype=jnp.float32) -> int:
    """How many products of split operands take one of `length` terms: 1, 2 or 4."""
    return 2 ** sum(_splits(a_bits, b_bits, length, dtype))


def _splits(a_bits: int, b_bits: int, length: int, dtype) -> tuple[bool, bool]:
    """Whether a and b have to be split."""
    if dtype == jnp.int8:
        return a_bits == 8, b_bits == 8
    largest_a, largest_b = 2**a_bits - 1, 2**b_bits - 1
    if length * largest_a * largest_b < EXACT_F32:
        return False, False
    if largest_a >= largest_b:  # halving the wider one brings the sum down the most
        return True, length * HIGH * largest_b >= EXACT_F32
    return length * HIGH * largest_a >= EXACT_F32, True


def _split_product(
    a: Codes, b: Codes, length: int, dtype, product: Callable
) -> jax.Array:
    split_a, split_b = _splits(a.bits, b.bits, length, dtype)
    wide = jnp.int32 if dtype == jnp.int8 else jnp.float32
    total = jnp.int32(0)
    for weight_a, part_a in _parts(a.values, split_a):
        for weight_b, part_b in _parts(b.values, split_b):
            part = product(
                part_a.astype(dtype), part_b.astype(dtype), preferred_element_type=wide
            )
            total += weight_a * weight_b * _whole(part)
    return total


def _whole(sums: jax.Array) -> jax.Array:
    """i32 of sums that are whole, or off by less than 1/2, as by Winograd's algorithm."""
    if jnp.issubdtype(sums.dtype, jnp.integer):
        return sums
    return jnp.round(sums).astype(jnp.int32)


def _parts(values: jax.Array, split: bool) -> list[tuple[int, jax.Array]]:
    """(weight, part) with values = sum of weight * part; split, |part| <= 16."""
    if not split:
        return [(1, values)]
    return [(HIGH, values >> 4), (1, values & (HIGH - 1))]
