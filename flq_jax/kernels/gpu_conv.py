"""Packed convolutions for NVIDIA GPUs, through Pallas and Triton, as implicit products.

The matrix of windows is never in memory: a program owns a tile of windows and outputs,
and goes through the places of a window, which are its taps' words, gathering of each what
its windows see. What lies outside the image is masked and reads 0, as
`affine.conv_values` takes padding to be. Weights are read as they are packed. Where tiles
are few, several programs share one: each goes through a part of the places, and the parts
are added up. A product of matrices is the convolution by windows of one pixel.

Blocks are powers of two, and words are i32, for the compiler refuses the population count
of u32. Nothing here was ever timed.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plt

from flq_jax.kernels import int8, predicted
from flq_jax.kernels.geometry import Geometry, seen
from flq_jax.kernels.packing import WORD_BITS
from flq_jax.kernels.predicted import CHUNK, Tiling, require_block


def popcount_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    binary: bool,
    geometry: Geometry,
    tiling: Tiling | None = None,
    interpret=False,
    name="popcount_conv",
) -> jax.Array:
    """Sums of 2^(i+j) popcount(x_i op w_j) over every window's words and planes.

    Args:
        x: i32[k, n, h, w, p], the bit planes of images of p words a pixel.
        w: i32[l, kh, kw, p, o], outputs side by side.
        binary: op is xor if true, else and.
        geometry: of x and w.
        tiling: of the windows and outputs, blocks of powers of 2, ValueError otherwise;
            None: `predicted.popcount_tiling`.
        interpret: run the kernel body as ordinary JAX, on any platform.
        name: of the kernel.

    Returns:
        i32[n, ho, wo, o].
    """
    steps = _places(w) * x.shape[0]
    tiling = tiling or predicted.popcount_tiling(*_sizes(x, w, geometry), steps)
    require_block(name, tiling.block)
    kernel = functools.partial(_popcount_kernel, binary=binary)
    run = functools.partial(_over_tiles, kernel, name, tiling, steps, 1, interpret)
    return run(x, w, geometry)


def int8_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    geometry: Geometry,
    tiling: Tiling | None = None,
    interpret=False,
    name="int8_conv",
) -> jax.Array:
    """Sums of code products on int8 tensor cores, from packed operands.

    Words are spread to bytes in the kernel, so that memory delivers the packed form only.

    Args:
        x: i32[k, n, h, w, p], see `popcount_conv`; so are the others.
        w: i32[l, kh, kw, p, o].
        geometry: of x and w.
        tiling: blocks of powers of 2 from 16; None: `predicted.int8_tiling`.
        interpret: run the kernel body as ordinary JAX.
        name: of the kernel.

    Returns:
        i32[n, ho, wo, o].
    """
    steps = -(-_places(w) // CHUNK)
    bits = x.shape[0], w.shape[0]
    tiling = tiling or predicted.int8_tiling(*_sizes(x, w, geometry), bits, steps)
    require_block(name, tiling.block, least=16)
    run = functools.partial(
        _over_tiles, _int8_kernel, name, tiling, steps, 4, interpret
    )
    length = WORD_BITS * CHUNK * tiling.splits * -(-steps // tiling.splits)
    return int8.restore_conv(run(x, w, geometry), x, w, geometry, length)


def _sizes(x, w, geometry: Geometry) -> tuple[int, int]:
    """Windows of all images, and outputs."""
    return x.shape[1] * geometry.out[0] * geometry.out[1], w.shape[-1]


def _places(w) -> int:
    _, height, width, words, _ = w.shape
    return height * width * words


def _over_tiles(
    kernel: Callable,
    name: str,
    tiling: Tiling,
    steps: int,
    warps: int,
    interpret,
    x: jax.Array,
    w: jax.Array,
    geometry: Geometry,
) -> jax.Array:
    """Runs a kernel on every tile, its steps in as many parts: i32[n, ho, wo, o]."""
    (rows, columns), (block, splits) = _sizes(x, w, geometry), tiling
    tiles = -(-rows // block[0]), -(-columns // block[1])
    kernel = functools.partial(
        kernel,
        steps=-(-steps // splits),
        geometry=geometry,
        images=x.shape,
        weights=w.shape,
    )
    parts = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct(
            (splits, tiles[0] * block[0], tiles[1] * block[1]), jnp.int32
        ),
        grid=(*tiles, splits),
        out_specs=pl.BlockSpec((None, *block), lambda i, j, s: (s, i, j)),
        compiler_params=plt.CompilerParams(num_warps=warps, num_stages=2),
        interpret=interpret,
        name=name,
    )(x.reshape(-1), w.reshape(-1))
    counts = parts.sum(0)[:rows, :columns]
    return counts.reshape(x.shape[1], *geometry.out, columns)


def _popcount_kernel(x_ref, w_ref, out_ref, *, binary, steps, **shapes):
    planes_x, planes_w = shapes["images"][0], shapes["weights"][0]
    window, output = _tile(out_ref)

    # A step is one plane of one place of the windows: all planes of both at once would
    # need more registers than there are.
    def add_step(step, total):
        place, plane = lax.div(step, planes_x), lax.rem(step, planes_x)
        x = _seen_words(x_ref, window, place, plane, **shapes)[:, None]
        counts = jnp.zeros(total.shape, jnp.int32)
        for j in range(planes_w):
            w = _weight_words(w_ref, output, place, j, **shapes)[None, :]
            counts += lax.population_count(x ^ w if binary else x & w) << j
        return total + (counts << plane)

    out_ref[...] = _summed(add_step, steps, out_ref)


def _int8_kernel(x_ref, w_ref, out_ref, *, steps, **shapes):
    planes_x, planes_w = shapes["images"][0], shapes["weights"][0]
    window, output = _tile(out_ref)

    def add_chunk(step, total):
        place = step * CHUNK + lax.iota(jnp.int32, CHUNK)
        sees = functools.partial(_seen_words, x_ref, window[:, None], place[None, :])
        meets = functools.partial(_weight_words, w_ref, output[None], place[:, None])
        x = [sees(plane, **shapes) for plane in range(planes_x)]
        w = [meets(plane, **shapes) for plane in range(planes_w)]
        return total + plt.dot(_spread(x, 1), _spread(w, 0))

    out_ref[...] = _summed(add_chunk, steps, out_ref)


def _tile(out_ref) -> tuple[jax.Array, jax.Array]:
    """The windows i32[rows] and outputs i32[columns] that a program owns."""
    at = zip(range(2), out_ref.shape)
    window, output = (pl.program_id(i) * n + lax.iota(jnp.int32, n) for i, n in at)
    return window, output


def _summed(add_step: Callable, steps: int, out_ref) -> jax.Array:
    """The program's part of the steps, one after another."""
    first, zeros = pl.program_id(2) * steps, jnp.zeros(out_ref.shape, jnp.int32)
    return lax.fori_loop(first, first + steps, add_step, zeros)


def _seen_words(x_ref, window, place, plane, *, images, weights, geometry):
    """The words of a plane that windows see at a place; 0 after the last place."""
    _, batch, height, width, words = images
    _, down, across, *_ = weights
    tap, word = lax.div(place, words), lax.rem(place, words)
    row, column = lax.div(tap, across), lax.rem(tap, across)
    pixel, inside = seen(window, row, column, batch, geometry)
    at = (plane * (batch * height * width) + pixel) * words + word
    return plt.load(x_ref.at[at], mask=inside & (tap < down * across), other=0)


def _weight_words(w_ref, output, place, plane, *, images, weights, geometry):
    """The words of a plane that make outputs at a place; 0 after the last of either."""
    del images, geometry
    _, down, across, words, outputs = weights
    places = down * across * words
    at = (plane * places + place) * outputs + output
    inside = (output < outputs) & (place < places)
    return plt.load(w_ref.at[at], mask=inside, other=0)


def _spread(planes: list[jax.Array], axis: int) -> jax.Array:
    """The int8 codes of words along one of two axes, 32 times as many along it."""
    at = axis + 1
    wide = jnp.expand_dims(planes[0], at)
    shape = (*wide.shape[:at], WORD_BITS, *wide.shape[at + 1 :])
    place = lax.broadcasted_iota(jnp.int32, shape, at)
    codes = jnp.zeros(shape, jnp.int32)
    for j, plane in enumerate(planes):
        words = jnp.broadcast_to(jnp.expand_dims(plane, at), shape)
        codes += (lax.shift_right_logical(words, place) & 1) << j
    codes = (codes - int8.offset(len(planes))).astype(jnp.int8)
    flat = list(planes[0].shape)
    flat[axis] *= WORD_BITS
    return codes.reshape(flat)
