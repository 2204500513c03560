"""Pallas kernels for NVIDIA GPUs, through Triton.

Blocks are powers of two, words are i32 (the compiler refuses the population count of
u32), and both operands lie word-major, so that neighbouring threads read neighbouring
words. Nothing here was ever timed: what is known is that it compiles, what it compiles
to, and that the compiled PTX computes the right numbers.
"""

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plt
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from flq_jax.kernels import int8, predicted
from flq_jax.kernels.packing import WORD_BITS


def in_mind(kind: str = "NVIDIA H100") -> AbstractContextManager:
    """Lowers these kernels for a GPU that is not there: JAX asks which from 0.11 on."""
    device = AbstractDevice(kind, None, "gpu")
    return use_abstract_mesh(AbstractMesh((), (), abstract_device=device))


def popcount_product(
    a: jax.Array, b: jax.Array, *, binary: bool, block=None, interpret=False
) -> jax.Array:
    """Sums of 2^(i+j) popcount(a_i op b_j) over words and planes, one tile a program.

    A tile of 32 x 128 costs 9 loads per 32 counts; a square one of 64 x 64 costs 33.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words; padded to whole blocks.
        b: i32[l, p, n], the bit planes of n columns, likewise.
        binary: op is xor if true, else and.
        block: rows and columns of a tile, powers of 2, ValueError otherwise; None: as
            `predicted.gpu_block` fits them to the rows.
        interpret: run the kernel body as ordinary JAX, on any platform.

    Returns:
        i32[m, n].
    """
    block = block or predicted.gpu_block(a.shape[1])
    require_block("popcount_product", block)
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape
    a = _pad_last(a.swapaxes(1, 2), block[0])
    b = _pad_last(b, block[1])
    grid = (a.shape[2] // block[0], b.shape[2] // block[1])
    out = pl.pallas_call(
        functools.partial(_popcount_kernel, binary=binary),
        out_shape=jax.ShapeDtypeStruct((a.shape[2], b.shape[2]), jnp.int32),
        grid=grid,
        in_specs=[
            pl.BlockSpec((planes_a, words, block[0]), lambda i, j: (0, 0, i)),
            pl.BlockSpec((planes_b, words, block[1]), lambda i, j: (0, 0, j)),
        ],
        out_specs=pl.BlockSpec(block, lambda i, j: (i, j)),
        compiler_params=plt.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
        name="popcount_product",
    )(a, b)
    return out[:rows, :columns]


def _popcount_kernel(a_ref, b_ref, out_ref, *, binary):
    planes_a, planes_b = a_ref.shape[0], b_ref.shape[0]

    # A step is one word of one plane of the rows: all planes of both at once would need
    # more registers than there are.
    def add_step(step, total):
        word, plane = lax.div(step, planes_a), lax.rem(step, planes_a)
        a = a_ref[plane, word, :][:, None]
        counts = jnp.zeros(total.shape, jnp.int32)
        for j in range(planes_b):
            b = b_ref[j, word, :][None, :]
            counts += lax.population_count(a ^ b if binary else a & b) << j
        return total + (counts << plane)

    zeros = jnp.zeros(out_ref.shape, jnp.int32)
    out_ref[...] = lax.fori_loop(0, planes_a * a_ref.shape[1], add_step, zeros)


def int8_product(
    a: jax.Array,
    b: jax.Array,
    *,
    block=predicted.INT8_BLOCK,
    chunk: int = 2,
    interpret=False,
) -> jax.Array:
    """Sums of code products on int8 tensor cores, from packed operands.

    Words are spread to bytes in the kernel, `chunk` of them a step, so that memory
    delivers the packed form only.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words; padded to whole blocks.
        b: i32[l, p, n], the bit planes of n columns, likewise.
        block: rows and columns of a tile, powers of 2 from 16, ValueError otherwise.
        chunk: words a step, a power of 2.
        interpret: run the kernel body as ordinary JAX, on any platform.

    Returns:
        i32[m, n].
    """
    require_block("int8_product", block, least=16)
    require_block("int8_product", (chunk,))
    (planes_a, rows, words), (planes_b, _, columns) = a.shape, b.shape
    # Both by rows of words: [planes, rows, words], padded with codes of 0.
    left = _pad_last(_pad_last(a, chunk).swapaxes(1, 2), block[0]).swapaxes(1, 2)
    right = _pad_last(_pad_last(b.swapaxes(1, 2), chunk).swapaxes(1, 2), block[1])
    right = right.swapaxes(1, 2)
    padded_words = left.shape[2]
    shape = (left.shape[1], right.shape[1])
    out = pl.pallas_call(
        functools.partial(_int8_kernel, chunk=chunk),
        out_shape=jax.ShapeDtypeStruct(shape, jnp.int32),
        grid=(shape[0] // block[0], shape[1] // block[1]),
        in_specs=[
            pl.BlockSpec((planes_a, block[0], padded_words), lambda i, j: (0, i, 0)),
            pl.BlockSpec((planes_b, block[1], padded_words), lambda i, j: (0, j, 0)),
        ],
        out_specs=pl.BlockSpec(block, lambda i, j: (i, j)),
        compiler_params=plt.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
        name="int8_product",
    )(left, right)
    extra = WORD_BITS * (padded_words - words)
    offsets = int8.offset(planes_a) * int8.offset(planes_b)
    return int8.restore(out[:rows, :columns] - extra * offsets, a, b)


def _int8_kernel(a_ref, b_ref, out_ref, *, chunk):
    def add_chunk(step, total):
        here = pl.ds(step * chunk, chunk)
        left = _spread([a_ref[i, :, here] for i in range(a_ref.shape[0])])
        right = _spread([b_ref[j, :, here] for j in range(b_ref.shape[0])])
        return total + plt.dot(left, right, trans_b=True)

    zeros = jnp.zeros(out_ref.shape, jnp.int32)
    out_ref[...] = lax.fori_loop(0, a_ref.shape[2] // chunk, add_chunk, zeros)


def _spread(planes: list[jax.Array]) -> jax.Array:
    """The int8 codes i8[rows, 32 words] of i32[rows, words] planes."""
    rows, words = planes[0].shape
    place = lax.broadcasted_iota(jnp.int32, (rows, words, WORD_BITS), 2)
    codes = jnp.zeros((rows, words, WORD_BITS), jnp.int32)
    for j, plane in enumerate(planes):
        bits = lax.shift_right_logical(
            jnp.broadcast_to(plane[:, :, None], place.shape), place
        )
        codes += (bits & 1) << j
    codes = (codes - int8.offset(len(planes))).astype(jnp.int8)
    return codes.reshape(rows, words * WORD_BITS)


def _pad_last(x: jax.Array, multiple: int) -> jax.Array:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % multiple)])


def require_block(where: str, block: Sequence[int], least: int = 1) -> None:
    """Raises ValueError unless every size is a power of 2 from `least`."""
    if any(size < least or size & (size - 1) for size in block):
        raise ValueError(
            f"{where}: block must be powers of 2 from {least}, got {block=}"
        )
