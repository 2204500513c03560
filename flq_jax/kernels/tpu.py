"""Pallas kernels for TPUs, through Mosaic.

Nothing here was ever timed: what is known is that it compiles for v5e and v6e, and that
its body computes the right numbers in TPU interpret mode, without races. The tiles are
the largest of those tried whose sums stay in registers: twice as many columns of
popcounts, or rows or columns of int8 products, and v5e's compiler spills some.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from flq_jax.kernels import int8
from flq_jax.kernels.packing import WORD_BITS

SUBLANES = 8
UNROLLED_TERMS = 16
MXU_WORDS = 32


def popcount_product(
    a: jax.Array, b: jax.Array, *, binary: bool, block=(128, 256), interpret=False
) -> jax.Array:
    """Sums of 2^(i+j) popcount(a_i op b_j) over words and planes, on the vector unit.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words; padded to whole blocks.
        b: i32[l, p, n], the bit planes of n columns, likewise.
        binary: op is xor if true, else and.
        block: rows, a multiple of 8, and columns, one of 128, of a tile; ValueError
            otherwise. A smaller operand takes a smaller tile.
        interpret: False as compiled; True or `pltpu.InterpretParams` on any platform.

    Returns:
        i32[m, n].
    """
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape
    block = fit_block("popcount_product", block, rows, columns)
    chunk = popcount_chunk(words, planes_a, planes_b)
    a = popcount_rows(pad(a, (1, block[0]), (2, chunk)), chunk)
    b = pad(b, (1, chunk), (2, block[1]))
    b = b.reshape(planes_b, -1, chunk, b.shape[2])
    kernel = functools.partial(_popcount_kernel, binary=binary)
    out = _over_tiles(kernel, "popcount_product", a, b, block, interpret)
    return out[:rows, :columns]


def popcount_chunk(words: int, planes_a: int, planes_b: int) -> int:
    """Words of a step: so many that its terms, written out, are `UNROLLED_TERMS`."""
    return min(words, max(1, UNROLLED_TERMS // (planes_a * planes_b)))


def popcount_rows(a: jax.Array, chunk: int) -> jax.Array:
    """Rows i32[k, m, s p] as [k, s, m, p], p = chunk words of a step as a whole axis.

    Blocks may then have any number of them.
    """
    planes, rows, _ = a.shape
    return a.reshape(planes, rows, -1, chunk).swapaxes(1, 2)


def _popcount_kernel(a_ref, b_ref, out_ref, *, binary):
    _zero_at_first_step(out_ref)
    add_popcounts(a_ref, b_ref, out_ref, binary=binary)


def add_popcounts(a_ref, b_ref, out_ref, *, binary):
    """Adds to a tile [m, n] the counts of [k, 1, m, p] rows and [l, 1, p, n] columns."""
    planes_a, _, rows, words = a_ref.shape
    planes_b, columns = b_ref.shape[0], b_ref.shape[3]

    @pl.loop(0, rows // SUBLANES)
    def _(tile):  # eight rows at a time, so that their sums stay in registers
        here = pl.ds(pl.multiple_of(tile * SUBLANES, SUBLANES), SUBLANES)
        total = jnp.zeros((SUBLANES, columns), jnp.int32)
        for i in range(planes_a):
            a = a_ref[i, 0, here, :]
            for j in range(planes_b):
                for word in range(words):
                    left, right = a[:, word : word + 1], b_ref[j, 0, word : word + 1, :]
                    term = left ^ right if binary else left & right
                    total += lax.population_count(term) << (i + j)
        out_ref[here, :] += total


def int8_product(
    a: jax.Array, b: jax.Array, *, block=(64, 128), interpret=False
) -> jax.Array:
    """Sums of code products on the int8 MXU; columns stay packed down to VMEM.

    One shift and mask turn a word into the bytes of four elements, so the contracted
    axis is gone through in the order (bit of a byte, word, byte); rows, int8 in memory,
    are laid out in that order beforehand.

    Args:
        a: i32[k, m, p], see `popcount_product`; so are the others.
        b: i32[l, p, n].
        block: rows and columns of a tile.
        interpret: False as compiled, or how it is interpreted.

    Returns:
        i32[m, n].
    """
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape
    block = fit_block("int8_product", block, rows, columns)
    chunk = int8_chunk(words)
    left = int8_rows(pad(a, (1, block[0]), (2, chunk)), chunk)
    right, steps = pad(b, (1, chunk), (2, block[1])), left.shape[1]
    right = right.reshape(planes_b, steps, chunk, -1)
    out = _over_tiles(_int8_kernel, "int8_product", left, right, block, interpret)
    extra = WORD_BITS * (steps * chunk - words)
    offsets = int8.offset(planes_a) * int8.offset(planes_b)
    return int8.restore(out[:rows, :columns] - extra * offsets, a, b)


def int8_chunk(words: int) -> int:
    """Words of a step: whole sublanes, up to `MXU_WORDS`."""
    return min(MXU_WORDS, -(-words // SUBLANES) * SUBLANES)


def int8_rows(a: jax.Array, chunk: int) -> jax.Array:
    """Packed rows i32[k, m, s p] as bytes i8[8, s, m, 4 p], p = chunk words of a step.

    The first axis is the bit of a byte, the last goes through words and their bytes.
    """
    bytes_of = [
        lax.bitcast_convert_type(int8.byte_lanes(a, place), jnp.int8)
        for place in range(8)
    ]
    return jnp.stack(bytes_of).reshape(8, a.shape[1], -1, 4 * chunk).swapaxes(1, 2)


def _int8_kernel(a_ref, b_ref, out_ref):
    _zero_at_first_step(out_ref)
    add_int8_products(a_ref, b_ref, out_ref)


def add_int8_products(a_ref, b_ref, out_ref):
    """Adds to a tile [m, n] the products of i8[8, 1, m, 4 p] and packed [l, 1, p, n]."""
    planes = [b_ref[j, 0] for j in range(b_ref.shape[0])]
    total = jnp.zeros(out_ref.shape, jnp.int32)
    for place in range(8):
        right = pltpu.bitcast(int8.byte_lanes(planes, place), jnp.int8)
        total += jnp.dot(a_ref[place, 0], right, preferred_element_type=jnp.int32)
    out_ref[...] += total


def _over_tiles(kernel, name: str, left, right, block, interpret) -> jax.Array:
    """Runs a kernel on tiles of [k, s, m, c] and [l, s, p, n], step by step: [m, n].

    A step s adds its part of the contracted axis to a tile.
    """
    planes_a, steps, rows, length = left.shape
    planes_b, _, words, columns = right.shape
    return pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((rows, columns), jnp.int32),
        grid=(rows // block[0], columns // block[1], steps),
        in_specs=[
            pl.BlockSpec((planes_a, 1, block[0], length), lambda i, j, s: (0, s, i, 0)),
            pl.BlockSpec((planes_b, 1, words, block[1]), lambda i, j, s: (0, s, 0, j)),
        ],
        out_specs=pl.BlockSpec(block, lambda i, j, s: (i, j)),
        compiler_params=_in_order(),
        interpret=interpret,
        name=name,
    )(left, right)


def _zero_at_first_step(out_ref):
    @pl.when(pl.program_id(2) == 0)
    def _():
        out_ref[...] = jnp.zeros(out_ref.shape, jnp.int32)


def _in_order():
    """Tiles in any order, the steps of a tile one after another."""
    return pltpu.CompilerParams(
        dimension_semantics=("parallel", "parallel", "arbitrary")
    )


def fit_block(where: str, block, rows: int, columns: int) -> tuple[int, int]:
    """A block no larger than the operands take; ValueError unless of 8 and 128."""
    if min(block) < 1 or block[0] % SUBLANES or block[1] % 128:
        raise ValueError(f"{where}: block must be multiples of 8 and 128, got {block=}")
    whole_rows, whole_columns = -(-rows // 8) * 8, -(-columns // 128) * 128
    return min(block[0], whole_rows), min(block[1], whole_columns)


def pad(x: jax.Array, *multiples: tuple[int, int]) -> jax.Array:
    """Zeros after the end of each (axis, multiple), up to a whole multiple."""
    padding = [(0, 0)] * x.ndim
    for axis, multiple in multiples:
        padding[axis] = (0, -x.shape[axis] % multiple)
    return jnp.pad(x, padding)
