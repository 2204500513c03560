"""Packed products and convolutions for NVIDIA GPUs, written in PTX and handed to XLA as text.

The sisters of `gpu` and `gpu_conv`, which stand on Pallas' Triton: the same implicit
products, tiles and parts. They need neither Triton nor a compiler of CUDA: XLA's custom call
"__gpu$xla.gpu.ptx" takes a kernel's text, which the driver assembles where it runs. Nothing
here was ever timed, nor run on a card: the text is assembled for A100 and H100, and executed
on the host. A batch under `jax.vmap` goes one by one.

A thread of a tile owns some of its windows and outputs. Those beyond the last are taken to
be the last: what they count is cut off.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.kernels import int8, predicted, ptx_programs
from flq_jax.kernels.geometry import Geometry, as_windows
from flq_jax.kernels.packing import WORD_BITS
from flq_jax.kernels.predicted import WARP, Tiling, require_block
from flq_jax.kernels.ptx import BYTES
from flq_jax.kernels.ptx_programs import HIGH, WARPS, WIDE, num_places, sizes

CALL = "__gpu$xla.gpu.ptx"
MOST_BYTES = 2**31  # that an offset reaches


def popcount_product(
    a: jax.Array, b: jax.Array, *, binary: bool, tiling: Tiling | None = None
) -> jax.Array:
    """Sums of 2^(i+j) popcount(a_i op b_j) over words and planes.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words.
        b: i32[l, p, n], the bit planes of n columns.
        binary: op is xor if true, else and.
        tiling: of rows and columns, as in `popcount_conv`.

    Returns:
        i32[m, n].

    Raises:
        ValueError: as `popcount_conv`.
    """
    conv = functools.partial(popcount_conv, binary=binary, name="popcount_product")
    return as_windows(conv, a, b, tiling=tiling)


def int8_product(
    a: jax.Array, b: jax.Array, *, tiling: Tiling | None = None
) -> jax.Array:
    """Sums of code products on int8 tensor cores, from packed operands.

    Args:
        a: i32[k, m, p], the bit planes of m rows of p words.
        b: i32[l, p, n], the bit planes of n columns.
        tiling: of rows and columns, as in `int8_conv`.

    Returns:
        i32[m, n].

    Raises:
        ValueError: as `int8_conv`.
    """
    conv = functools.partial(int8_conv, name="int8_product")
    return as_windows(conv, a, b, tiling=tiling)


def popcount_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    binary: bool,
    geometry: Geometry,
    tiling: Tiling | None = None,
    name: str = "popcount_conv",
) -> jax.Array:
    """Sums of 2^(i+j) popcount(x_i op w_j) over every window's words and planes.

    Args:
        x: i32[k, n, h, w, p], the bit planes of images of p words a pixel.
        w: i32[l, kh, kw, p, o], outputs side by side.
        binary: op is xor if true, else and.
        geometry: of x and w.
        tiling: of the windows and outputs, blocks of powers of 2; None:
            `predicted.popcount_tiling`. One of less than a warp's results grows to it.
        name: of the kernel.

    Returns:
        i32[n, ho, wo, o].

    Raises:
        ValueError: a block is no power of 2, or x or w has 2 GiB or more.
    """
    steps = num_places(w.shape) * x.shape[0]
    tiled = sizes(x.shape, w.shape, geometry)
    tiling = tiling or predicted.popcount_tiling(*tiled, steps)
    require_block(name, tiling.block)
    tiling = whole_warps(tiling)
    text = ptx_programs.popcount(name, x.shape, w.shape, geometry, tiling, binary)
    return _over_tiles(text, name, WARP, tiling, x, w, geometry)


def int8_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    geometry: Geometry,
    tiling: Tiling | None = None,
    name: str = "int8_conv",
) -> jax.Array:
    """Sums of code products on int8 tensor cores, from packed operands.

    A word's bits are spread to bytes in registers, where a tensor core takes them: four
    threads share a word, and each takes every fourth bit. A product's 32 terms are added
    up in that order for both factors, so that none has to be moved.

    Args:
        x: i32[k, n, h, w, p], see `popcount_conv`; so are the others.
        w: i32[l, kh, kw, p, o].
        geometry: of x and w.
        tiling: blocks of powers of 2 from 16, 32 columns or more; None:
            `predicted.int8_tiling`.
        name: of the kernel.

    Returns:
        i32[n, ho, wo, o].

    Raises:
        ValueError: a block is none of these, or x or w has 2 GiB or more.
    """
    places, bits = num_places(w.shape), (x.shape[0], w.shape[0])
    steps = -(-places // predicted.CHUNK)
    tiled = sizes(x.shape, w.shape, geometry)
    tiling = tiling or predicted.int8_tiling(*tiled, bits, steps)
    require_block(name, tiling.block, least=HIGH)
    if tiling.block[1] < WARPS * WIDE:
        raise ValueError(
            f"{name}: block must have {WARPS * WIDE} columns or more, got {tiling.block=}"
        )
    text = ptx_programs.int8(name, x.shape, w.shape, geometry, tiling)
    sums = _over_tiles(text, name, WARP * WARPS, tiling, x, w, geometry)
    return int8.restore_conv(sums, x, w, geometry, WORD_BITS * places)


def whole_warps(tiling: Tiling) -> Tiling:
    """A tiling whose tiles have a result or more for each thread of a warp."""
    high, wide = tiling.block
    return tiling._replace(block=(max(high, WARP // min(wide, WARP)), wide))


def _over_tiles(
    text: str, name: str, threads: int, tiling: Tiling, x, w, geometry: Geometry
) -> jax.Array:
    """Runs a kernel on every tile and adds up the parts: i32[n, ho, wo, o]."""
    largest = BYTES * max(x.size, w.size)
    if largest >= MOST_BYTES:
        raise ValueError(
            f"{name}: operands must have less than {MOST_BYTES} bytes, got {largest}"
        )
    (rows, columns), (block, splits) = sizes(x.shape, w.shape, geometry), tiling
    tiles = -(-rows // block[0]), -(-columns // block[1])
    shape = splits, tiles[0] * block[0], tiles[1] * block[1]
    call = jax.ffi.ffi_call(
        CALL, jax.ShapeDtypeStruct(shape, jnp.int32), vmap_method="sequential"
    )
    grid = dict(zip(("grid_x", "grid_y", "grid_z"), map(np.int32, (*tiles, splits))))
    parts = call(
        x.reshape(-1),
        w.reshape(-1),
        name=name,
        kernel_type="ptx",
        kernel_data=text,
        **grid,
        block_x=np.int32(threads),
        block_y=np.int32(1),
        block_z=np.int32(1),
        shared_mem_bytes=np.int32(0),
        output_indices=np.array([2], np.int32),
    )
    return parts.sum(0)[:rows, :columns].reshape(x.shape[1], *geometry.out, columns)
