"""Packed convolutions for NVIDIA GPUs, through Pallas and Triton, as implicit products.

The matrix of windows is never in memory: a program owns a tile of windows and outputs,
and goes through the taps, gathering of each the words its windows see. What lies outside
the image is masked and reads 0, as `affine.conv_values` takes padding to be. Weights are
read as they are packed. Nothing here was ever timed.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plt

from flq_jax.kernels.geometry import Geometry
from flq_jax.kernels.gpu import require_block


def popcount_conv(
    x: jax.Array,
    w: jax.Array,
    *,
    binary: bool,
    geometry: Geometry,
    block=(32, 64),
    interpret=False,
) -> jax.Array:
    """Sums of 2^(i+j) popcount(x_i op w_j) over every window's words and planes.

    Args:
        x: i32[k, n, h, w, p], the bit planes of images of p words a pixel.
        w: i32[l, kh, kw, p, o], outputs side by side.
        binary: op is xor if true, else and.
        geometry: of x and w.
        block: windows and outputs of a tile, powers of 2, ValueError otherwise.
        interpret: run the kernel body as ordinary JAX, on any platform.

    Returns:
        i32[n, ho, wo, o].
    """
    require_block("popcount_conv", block)
    outputs, lead = w.shape[-1], (x.shape[1], *geometry.out)
    windows = lead[0] * lead[1] * lead[2]
    grid = -(-windows // block[0]), -(-outputs // block[1])
    kernel = functools.partial(
        _popcount_kernel,
        binary=binary,
        geometry=geometry,
        images=x.shape,
        weights=w.shape,
    )
    out = pl.pallas_call(
        kernel,
        out_shape=jax.ShapeDtypeStruct(
            (grid[0] * block[0], grid[1] * block[1]), jnp.int32
        ),
        grid=grid,
        out_specs=pl.BlockSpec(block, lambda i, j: (i, j)),
        compiler_params=plt.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
        name="popcount_conv",
    )(x.reshape(-1), w.reshape(-1))
    return out[:windows, :outputs].reshape(*lead, outputs)


def _popcount_kernel(x_ref, w_ref, out_ref, *, binary, geometry, images, weights):
    planes_x, *_, words = images
    planes_w, _, across, _, outputs = weights
    rows, columns = out_ref.shape
    window = pl.program_id(0) * rows + lax.iota(jnp.int32, rows)
    output = pl.program_id(1) * columns + lax.iota(jnp.int32, columns)
    image_size = images[1] * images[2] * images[3] * words
    weight_size = weights[1] * across * words * outputs

    # A step is one word of one plane of the windows at one tap.
    def add_step(step, total):
        place, plane = lax.div(step, planes_x), lax.rem(step, planes_x)
        tap, word = lax.div(place, words), lax.rem(place, words)
        pixel, inside = seen(
            window, lax.div(tap, across), lax.rem(tap, across), images[1], geometry
        )
        at = plane * image_size + pixel * words + word
        x = plt.load(x_ref.at[at], mask=inside, other=0)[:, None]
        counts = jnp.zeros(total.shape, jnp.int32)
        for j in range(planes_w):
            at = j * weight_size + place * outputs + output
            w = plt.load(w_ref.at[at], mask=output < outputs, other=0)[None, :]
            counts += lax.population_count(x ^ w if binary else x & w) << j
        return total + (counts << plane)

    steps = geometry.kernel[0] * across * words * planes_x
    zeros = jnp.zeros(out_ref.shape, jnp.int32)
    out_ref[...] = lax.fori_loop(0, steps, add_step, zeros)


def seen(window: jax.Array, i, j, batch: int, geometry: Geometry):
    """The pixel that a window sees at the tap (i, j), and whether it lies in the image.

    Args:
        window: i32[m], numbered through images, rows and columns of the result.
        i: row of the tap; j: its column.
        batch: how many images there are.
        geometry: of the convolution.

    Returns:
        i32[m], numbered through images, rows and columns, and bool[m].
    """
    (height, width), (down, right) = geometry.size, geometry.out
    image, rest = lax.div(window, down * right), lax.rem(window, down * right)
    row = _position(lax.div(rest, right), i, 0, geometry)
    column = _position(lax.rem(rest, right), j, 1, geometry)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = (image * height + row) * width + column
    return pixel, inside & (image < batch)


def _position(out: jax.Array, tap, axis: int, geometry: Geometry) -> jax.Array:
    first = out * geometry.stride[axis] - geometry.padding[axis][0]
    return first + tap * geometry.dilation[axis]
