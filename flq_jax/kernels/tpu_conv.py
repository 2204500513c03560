"""Packed convolutions for TPUs, through Pallas and Mosaic, as implicit products.

Pixels lie on the lanes, their words on the sublanes. Rows of an image follow one another
there, and so do images, so that what all windows see at one tap is a shift of the lanes:

    window (n, r, c) at lane (n H + r) W + c sees at the tap (i, j)
    lane + (i d_h div s_h) W + (j d_w div s_w) of the phase (i d_h mod s_h, j d_w mod s_w),

where with strides s the phases (a, b) are the images of every s-th pixel from (a, b) on,
of H x W pixels, padding included. Lanes at the ends of rows belong to no window and are
cut off. A program gathers the packed windows of its tile in VMEM, once for all outputs,
and multiplies weights by them as `tpu` does: no matrix of windows is in memory.

Nothing here was ever timed.
"""

import functools
from collections.abc import Callable
from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

from flq_jax.kernels import int8, tpu
from flq_jax.kernels.geometry import Geometry
from flq_jax.kernels.packing import WORD_BITS

LANES = 128


def popcount_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    binary: bool,
    geometry: Geometry,
    block=(128, 256),
    interpret=False,
) -> jax.Array:
    """Sums of 2^(i+j) popcount(x_i op w_j) over every window's words and planes.

    Args:
        x: i32[k, n, h, w, p], the bit planes of images of p words a pixel.
        w: i32[l, kh, kw, p, o], outputs side by side.
        binary: op is xor if true, else and.
        geometry: of x and w.
        block: outputs, a multiple of 8, and windows, one of 128, of a tile; ValueError
            otherwise. Fewer of them take a smaller tile.
        interpret: False as compiled; True or `pltpu.InterpretParams` on any platform.

    Returns:
        i32[n, ho, wo, o].
    """
    rows = w.reshape(w.shape[0], -1, w.shape[-1]).swapaxes(1, 2)
    chunk = tpu.popcount_chunk(rows.shape[2], x.shape[0], w.shape[0])
    body = functools.partial(tpu.add_popcounts, binary=binary)
    block = tpu.fit_block("popcount_conv", block, rows.shape[1], _lanes(x, geometry))
    left = tpu.popcount_rows(tpu.pad(rows, (1, block[0]), (2, chunk)), chunk)
    run = functools.partial(_over_tiles, body, "popcount_conv", block, chunk, interpret)
    return run(x, left, w.shape, geometry)


def int8_conv(
    x: jax.Array, w: jax.Array, *, geometry: Geometry, block=(64, 128), interpret=False
) -> jax.Array:
    """Sums of code products on the int8 MXU; windows stay packed down to VMEM.

    Args:
        x: i32[k, n, h, w, p], see `popcount_conv`; so are the others.
        w: i32[l, kh, kw, p, o].
        geometry: of x and w.
        block: outputs and windows of a tile.
        interpret: False as compiled, or how it is interpreted.

    Returns:
        i32[n, ho, wo, o].
    """
    rows = w.reshape(w.shape[0], -1, w.shape[-1]).swapaxes(1, 2)
    chunk = tpu.int8_chunk(rows.shape[2])
    block = tpu.fit_block("int8_conv", block, rows.shape[1], _lanes(x, geometry))
    left = tpu.int8_rows(tpu.pad(rows, (1, block[0]), (2, chunk)), chunk)
    body = tpu.add_int8_products
    run = functools.partial(_over_tiles, body, "int8_conv", block, chunk, interpret)
    counts = run(x, left, w.shape, geometry)
    length = WORD_BITS * left.shape[1] * chunk
    return int8.restore_conv(counts, x, w, geometry, length)


def _over_tiles(
    body: Callable,
    name: str,
    block: tuple[int, int],
    chunk: int,
    interpret,
    x: jax.Array,
    left: jax.Array,
    weights: tuple[int, ...],
    geometry: Geometry,
) -> jax.Array:
    """Adds up a body's steps on every tile of outputs and windows: i32[n, ho, wo, o].

    Args:
        body: adds to a tile what a step's rows of weights and words of windows make.
        name: of the kernel.
        block: outputs and windows of a tile.
        chunk: words of a step.
        interpret: as in `popcount_conv`.
        x: i32[k, n, h, w, p].
        left: weights [..., s, o, ...], laid out for `body`, padded to whole tiles.
        weights: the shape of the packed ones, [l, kh, kw, p, o].
        geometry: of both.
    """
    planes, batch, *_, words = x.shape
    (height, width), lanes = grid_size(geometry), _lanes(x, geometry)
    steps, outputs = left.shape[1], weights[-1]
    tiles = left.shape[2] // block[0], -(-lanes // block[1])
    reach = -(-max(shift for _, shift in tap_shifts(geometry)) // LANES) * LANES
    pixels = phases(x, geometry)
    missing = tiles[1] * block[1] + reach - lanes
    pixels = jnp.pad(pixels, ((0, 0), (0, missing)))
    kernel = functools.partial(
        _kernel, body=body, planes=planes, words=words, geometry=geometry
    )
    out = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct((left.shape[2], tiles[1] * block[1]), jnp.int32),
        grid=tiles[::-1],
        in_specs=[
            pl.BlockSpec(
                (pl.Element(pixels.shape[0]), pl.Element(block[1] + reach)),
                lambda i, j: (0, i * block[1]),
            ),
            pl.BlockSpec(
                (left.shape[0], steps, block[0], left.shape[3]),
                lambda i, j: (0, 0, j, 0),
            ),
        ],
        out_specs=pl.BlockSpec(block, lambda i, j: (j, i)),
        scratch_shapes=[pltpu.VMEM((planes, steps, chunk, block[1]), jnp.int32)],
        compiler_params=_outputs_in_order(),
        interpret=interpret,
        name=name,
    )(pixels, left)
    counts = out[:outputs, :lanes].reshape(outputs, batch, height, width)
    down, across = geometry.out
    return counts[:, :, :down, :across].transpose(1, 2, 3, 0)


def _kernel(x_ref, w_ref, out_ref, seen_ref, *, body, planes, words, geometry):
    @pl.when(pl.program_id(1) == 0)
    def _():
        _gather(x_ref, seen_ref, planes, words, geometry)

    out_ref[...] = jnp.zeros(out_ref.shape, jnp.int32)

    @pl.loop(0, seen_ref.shape[1])
    def _(step):
        here = pl.ds(step, 1)
        body(w_ref.at[:, here], seen_ref.at[:, here], out_ref)


def _gather(x_ref, seen_ref, planes, words, geometry):
    """The words of the tile's windows, place by place; 0 after the last."""
    _, steps, chunk, columns = seen_ref.shape
    per_plane = x_ref.shape[0] // planes
    for plane in range(planes):
        place = 0
        for phase, shift in tap_shifts(geometry):
            for word in range(words):
                row = plane * per_plane + phase * words + word
                seen = x_ref[row : row + 1, shift : shift + columns]
                at = place % chunk
                seen_ref[plane, place // chunk, at : at + 1, :] = seen
                place += 1
        for rest in range(place, steps * chunk):
            at = rest % chunk
            seen_ref[plane, rest // chunk, at : at + 1, :] = jnp.zeros(
                (1, columns), jnp.int32
            )


def _outputs_in_order():
    """Tiles of windows in any order; the first of its outputs gathers a tile's."""
    return pltpu.CompilerParams(dimension_semantics=("parallel", "arbitrary"))


def grid_size(geometry: Geometry) -> tuple[int, int]:
    """H and W: rows and columns of a phase, as many as its windows and taps need."""
    reach = (
        d * (k - 1) // s
        for d, k, s in zip(geometry.dilation, geometry.kernel, geometry.stride)
    )
    height, width = (n + far for n, far in zip(geometry.out, reach))
    return height, width


def _lanes(x: jax.Array, geometry: Geometry) -> int:
    return x.shape[1] * prod(grid_size(geometry))


def tap_shifts(geometry: Geometry) -> list[tuple[int, int]]:
    """(phase, how far on the lanes) of each tap, row by row."""
    width, (down, across) = grid_size(geometry)[1], geometry.stride
    places = [
        (i * geometry.dilation[0], j * geometry.dilation[1])
        for i in range(geometry.kernel[0])
        for j in range(geometry.kernel[1])
    ]
    return [
        (i % down * across + j % across, i // down * width + j // across)
        for i, j in places
    ]


def phases(x: jax.Array, geometry: Geometry) -> jax.Array:
    """Padded images, phase by phase, with their pixels on the last axis.

    Args:
        x: [k, n, h, w, p].
        geometry: of x.

    Returns:
        [k s_h s_w p, n H W].
    """
    planes, batch, *_, words = x.shape
    size, stride = grid_size(geometry), geometry.stride
    sides = zip(geometry.padding, size, stride, geometry.size)
    edges = [(p[0], n * s - p[0] - h, 0) for p, n, s, h in sides]  # may cut off
    none = [(0, 0, 0)]
    padded = lax.pad(x, jnp.zeros((), x.dtype), 2 * none + edges + none)
    split = padded.reshape(planes, batch, size[0], stride[0], size[1], stride[1], words)
    return split.transpose(0, 3, 5, 6, 1, 2, 4).reshape(-1, batch * prod(size))
