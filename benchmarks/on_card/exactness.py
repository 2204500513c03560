"""Whether low-bit products and convolutions are exact on this device."""

import jax
import numpy as np

from flq_jax.kernels import Codes, as_codes, bit_conv, bit_matmul, pack

from .measure import Works

WIDTHS = ((1, 1), (2, 3), (8, 8))


def codes(seed: int, shape: tuple[int, ...], bits: int) -> Codes:
    """Random signed codes on the device."""
    drawn = jax.random.randint(jax.random.key(seed), shape, 0, 2**bits)
    return as_codes(drawn, bits, True)


def exactness(small: bool, ceiling: dict[str, float]) -> Works:
    """Chosen products and convolutions against int64 arithmetic of the host."""
    del ceiling
    m, k, n, side = (5, 40, 7, 5) if small else (100, 1152, 70, 16)
    for bits in WIDTHS:

        def product(bits=bits):
            a, b = codes(0, (m, k), bits[0]), codes(1, (k, n), bits[1])
            result = jax.jit(bit_matmul)(a, pack(b, -2))
            return wrong(result, wide(a) @ wide(b))

        def convolution(bits=bits):
            x, w = (
                codes(2, (2, side, side, k), bits[0]),
                codes(3, (3, 3, k, n), bits[1]),
            )
            return wrong(jax.jit(bit_conv)(x, w), same_convolution(wide(x), wide(w)))

        width = "x".join(map(str, bits))
        yield f"{m}x{k}x{n} {width} bit", product
        yield f"conv {side}x{side}x{k} to {n} {width} bit", convolution


def wide(operand: Codes) -> np.ndarray:
    """What the codes stand for, i64."""
    return np.asarray(operand.values, np.int64)


def wrong(result: jax.Array, right: np.ndarray) -> dict[str, int]:
    """How many entries are not what they should be."""
    return {"wrong": int((np.asarray(result) != right).sum())}


def same_convolution(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """3 x 3, padded with zeros to images of the same size, as products of integers."""
    _, rows, columns, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + rows, j : j + columns] @ w[i, j]
        for i in range(3)
        for j in range(3)
    )
