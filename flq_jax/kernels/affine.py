"""From popcounts to the integers that the codes stand for.

With values v = s c - t (`packing.grid`) a sum over K elements is

    sum v_a v_b = s_a s_b sum c_a c_b - s_a t_b sum c_a - t_a s_b sum c_b + K t_a t_b,

and the sum of code products is one of popcounts over bit planes (Zhou et al. 2016,
Eq. 3): sum c_a c_b = sum_{i,j} 2^(i+j) popcount(a_i and b_j). For +-1 one xor does it
all: K - 2 popcount(a xor b). (The xnor printed there in its place is a slip.)

All of it is i32 arithmetic, modulo 2^32, so only the result has to fit.
"""

from functools import reduce
from operator import add

import jax

from flq_jax.kernels.geometry import Geometry, inside_sums, taps
from flq_jax.kernels.packing import Codes, Packed, code_sums, grid


def is_binary(a: Codes | Packed, b: Codes | Packed) -> bool:
    """Whether both are +-1, so that one xor replaces the sum of ands."""
    return a.bits == b.bits == 1 and a.signed and b.signed


def require_range(where: str, length: int, a: Codes | Packed, b: Codes | Packed):
    """Raises ValueError unless every sum of `length` products fits 31 bits."""
    largest = length * (2**a.bits - 1) * (2**b.bits - 1)
    if largest >= 2**31:
        raise ValueError(
            f"{where}: results must be below 2**31, got sums of {length} products of "
            f"{a.bits} and {b.bits} bits, up to {largest}"
        )


def matmul_values(counts: jax.Array, a: Packed, b: Packed, binary: bool) -> jax.Array:
    """Turns i32[m, n] counts of packed a [m, k] and b [k, n] into values' products.

    The counts are popcount(a xor b) of signs if `binary`, else sums of code products.
    """
    if binary:
        return a.length - 2 * counts
    (scale_a, offset_a), (scale_b, offset_b) = grid(a), grid(b)
    values = scale_a * scale_b * counts + a.length * offset_a * offset_b
    if offset_b:
        values -= scale_a * offset_b * code_sums(a)
    if offset_a:
        values -= scale_b * offset_a * code_sums(b)
    return values


def conv_values(
    counts: jax.Array, x: Packed, w: Packed, geometry: Geometry, binary: bool
) -> jax.Array:
    """The same for a convolution's counts, i32[n, ho, wo, o].

    A padded position has the value 0. Its words are 0 too, which is the code 0; under
    and that counts for nothing, but it stands for -t_x and not for 0, and under xor it
    counts the ones of w. So what the padded taps brought in is left out: t_x meets only
    the codes of w that lie inside the image.
    """
    num_taps = geometry.kernel[0] * geometry.kernel[1]
    (scale_x, offset_x), (scale_w, offset_w) = grid(x), grid(w)
    channels = w.length
    if binary:
        values = num_taps * channels - 2 * counts
        if any(map(any, geometry.padding)):
            outside = channels - 2 * code_sums(w)[:, :, 0]
            everywhere = outside.sum((0, 1))[None, None]
            values -= (everywhere - inside_sums(outside, geometry))[None]
        return values
    values = scale_x * scale_w * counts
    if offset_x:
        # t_x meets every value of w inside the image: s_w c_w - t_w, once per channel.
        per_tap = scale_w * code_sums(w)[:, :, 0] - channels * offset_w
        values -= offset_x * inside_sums(per_tap, geometry)[None]
    if offset_w:
        sums = reduce(add, taps(code_sums(x), geometry))
        outputs = counts.shape[-1] // x.groups
        values -= scale_x * offset_w * sums.repeat(outputs, -1)
    return values
