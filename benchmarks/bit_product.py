"""Packed products against XLA's own, on this machine: exactness and speed.

    python -m benchmarks.bit_product [--card_repeats=9] [--product_picture=bit_product.png]

Each shape [m, k] x [k, n] at several widths, beside f32, bf16 and int8 dots of the same
shape. `packed` has both operands packed beforehand; `packing` packs the first within, as
a layer does with its activations; `lax_dot` unpacks the second and multiplies.
"""

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jax import lax

from flq_jax.kernels import as_codes, bit_matmul
from flq_jax.kernels.dispatch import Shape

from . import card

_PICTURE = flags.DEFINE_string("product_picture", "bit_product.png", "The picture.")
_SHAPES = flags.DEFINE_list(
    "product_shapes",
    ["1024x1152x128", "4096x576x64", "256x4608x512", "128x784x200", "1024x1024x1024"],
    "m x k x n of each product.",
)
WIDTHS = [(1, 1), (1, 2), (2, 2), (1, 4), (2, 4), (3, 3), (4, 4), (8, 8)]


def contest(shape: tuple[int, int, int], bits: tuple[int, int], repeats: int):
    """The card's row for one product."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    signed = tuple(width == 1 for width in bits)
    a, b = (
        as_codes(jnp.asarray(rng.integers(0, 2**width, size)), width, sign)
        for width, size, sign in zip(bits, ((m, k), (k, n)), signed)
    )
    # Integers of this size are exact in f64, whose products NumPy computes quickly.
    expected = np.asarray(a.values, float) @ np.asarray(b.values, float)
    work, rule = f"{m} x {k} x {n}", Shape(m, k, n, bits)
    return card.measured(work, (a, b), bit_matmul, dot, expected, rule, repeats)


def dot(a: jax.Array, b: jax.Array, wide) -> jax.Array:
    """XLA's dot, with sums of type `wide`."""
    return lax.dot(a, b, preferred_element_type=wide)


def main(argv: list[str]) -> None:
    """Prints the card and draws it."""
    del argv
    rows = [
        contest(tuple(map(int, shape.split("x"))), bits, card.REPEATS.value)
        for shape in _SHAPES.value
        for bits in WIDTHS
    ]
    title = "Packed products, m x k by k x n"
    card.table(title, rows)
    card.picture(title, rows, _PICTURE.value)


if __name__ == "__main__":
    app.run(main)
