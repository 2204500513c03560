"""Pallas kernels for NVIDIA GPUs: products of matrices, as windows of one pixel.

Nothing here was ever timed: what is known is that it compiles, what it compiles to, and
that the compiled PTX computes the right numbers. Both operands are read as they are
packed, so nothing is laid out anew at a call.
"""

from contextlib import AbstractContextManager

import jax
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from flq_jax.kernels import gpu_conv
from flq_jax.kernels.geometry import as_windows


def in_mind(kind: str = "NVIDIA H100") -> AbstractContextManager:
    """Lowers these kernels for a GPU that is not there: JAX asks which from 0.11 on."""
    device = AbstractDevice(kind, None, "gpu")
    return use_abstract_mesh(AbstractMesh((), (), abstract_device=device))


def popcount_product(
    a: jax.Array, b: jax.Array, *, binary: bool, tiling=None, interpret=False
) -> jax.Array:
    """Sums of 2^(i+j) popcount(a_i op b_j) over words and planes.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words.
        b: i32[l, p, n], the bit planes of n columns.
        binary: op is xor if true, else and.
        tiling: of rows and columns, as in `gpu_conv.popcount_conv`.
        interpret: run the kernel body as ordinary JAX.

    Returns:
        i32[m, n].
    """
    return as_windows(
        gpu_conv.popcount_conv,
        a,
        b,
        binary=binary,
        tiling=tiling,
        interpret=interpret,
        name="popcount_product",
    )


def int8_product(
    a: jax.Array, b: jax.Array, *, tiling=None, interpret=False
) -> jax.Array:
    """Sums of code products on int8 tensor cores, from packed operands.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words.
        b: i32[l, p, n], the bit planes of n columns.
        tiling: of rows and columns, as in `gpu_conv.int8_conv`.
        interpret: run the kernel body as ordinary JAX.

    Returns:
        i32[m, n].
    """
    return as_windows(
        gpu_conv.int8_conv,
        a,
        b,
        tiling=tiling,
        interpret=interpret,
        name="int8_product",
    )
