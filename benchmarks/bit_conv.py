"""Packed convolutions against XLA's own, on this machine: exactness and speed.

    python -m benchmarks.bit_conv [--card_repeats=9] [--conv_batches=1,32]
        [--conv_picture=bit_conv.png]

3 x 3, SAME, NHWC, as many outputs as channels, beside f32, bf16 and int8 convolutions
of the same shape. `packed` has images and weights packed beforehand; `packing` packs
the images within, as a layer does; `lax_dot` unpacks the weights and multiplies.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jax import lax

from flq_jax.kernels import as_codes, bit_conv
from flq_jax.kernels.dispatch import Shape
from flq_jax.kernels.geometry import DIMENSIONS

from . import card

_PICTURE = flags.DEFINE_string("conv_picture", "bit_conv.png", "The picture.")
_BATCHES = flags.DEFINE_list("conv_batches", ["1", "32"], "Images at once.")
_SHAPES = flags.DEFINE_list(
    "conv_shapes",
    ["32x64", "32x128", "16x256", "8x512"],
    "Rows x channels of the square images.",
)
WIDTHS = [(1, 1), (2, 1), (4, 4)]  # of images and of weights


def contest(batch: int, rows: int, channels: int, bits: tuple[int, int], repeats: int):
    """The card's row for one convolution."""
    rng = np.random.default_rng(0)
    sizes = (batch, rows, rows, channels), (3, 3, channels, channels)
    signed = bits[0] == 1, True
    x, w = (
        as_codes(jnp.asarray(rng.integers(0, 2**width, size)), width, sign)
        for width, size, sign in zip(bits, sizes, signed)
    )
    # Every sum is far below 2**24, so that f32 is exact whatever the order.
    expected = convolution(
        x.values.astype(jnp.float32), w.values.astype(jnp.float32), jnp.float32
    )
    sizes = batch * rows**2, 9 * channels, channels
    rule = Shape(*sizes, bits, reuse=9.0, conv=True)
    work = f"{batch} x {rows} x {rows} x {channels}"
    return card.measured(work, (x, w), bit_conv, convolution, expected, rule, repeats)


def convolution(x: jax.Array, w: jax.Array, wide) -> jax.Array:
    """XLA's convolution, with sums of type `wide`."""
    return lax.conv_general_dilated(
        x, w, (1, 1), "SAME", dimension_numbers=DIMENSIONS, preferred_element_type=wide
    )


def main(argv: list[str]) -> None:
    """Prints the card and draws it."""
    del argv
    rows = [
        contest(int(batch), *map(int, shape.split("x")), bits, card.REPEATS.value)
        for shape in _SHAPES.value
        for batch in _BATCHES.value
        for bits in WIDTHS
    ]
    title = "Packed 3 x 3 convolutions, batch x rows x columns x channels"
    card.table(title, rows)
    card.picture(title, rows, _PICTURE.value)


if __name__ == "__main__":
    app.run(main)
