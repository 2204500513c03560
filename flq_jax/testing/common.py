"""What both contracts need: hard inputs, the wire, and how a failure reads."""

from typing import Any

import jax
import numpy as np

from flq_jax import wire
from flq_jax.quantizers import Layout, Message

ORDINARY = 5  # of the vectors, the first


def inputs(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Ordinary vectors f32[size], by name."""
    normal, heavy, sparse, positive = rng.standard_normal((4, size), np.float32)
    return {
        "normal": normal,
        "heavy tails": np.float32(0.1) * heavy**3,
        "sparse": sparse * (np.arange(size) % 5 == 0),
        "positive": np.abs(positive) + np.float32(0.5),
        "constant": np.full(size, -0.75, np.float32),
    }


def extremes(size: int) -> dict[str, np.ndarray]:
    """Vectors at the ends of f32, short of norms and ranges that no f32 holds."""
    scales = {"zero": 0.0, "negative zero": -0.0}
    scales |= {"denormal": 1e-42, "tiny": 1e-30, "huge": 1e30}
    return {name: np.float32(scale) * _waves(size) for name, scale in scales.items()}


def not_finite(size: int) -> dict[str, np.ndarray]:
    """Vectors that a diverging client would send."""
    at = np.arange(size) == size // 2
    values = {"NaN": np.nan, "infinity": np.inf, "-infinity": -np.inf}
    return {k: np.where(at, np.float32(v), _waves(size)) for k, v in values.items()}


def _waves(size: int) -> np.ndarray:
    return np.cos(np.arange(size, dtype=np.float32))


def through_bytes(message: Message, layout: Layout, where: str) -> Message:
    """The message after packing and unpacking, bit for bit the same."""
    dtype = message.num_bits.dtype
    require("message", dtype == np.int32, where, "num_bits i32[]", dtype)
    try:
        frame = wire.pack(message, layout)
        received = wire.unpack(frame, layout)
    except wire.WireError as error:
        raise AssertionError(f"wire: {where}: {error}") from error
    require("wire", same(message, received), where, "the same bits", "others")
    length, wanted = len(frame) - wire.OVERHEAD_BYTES, -(-int(message.num_bits) // 8)
    require("bits", length == wanted, where, f"{wanted} bytes", length)
    return received


def same(a: Any, b: Any) -> bool:
    """Whether two pytrees are equal bit for bit, NaN included."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b))
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def near(a: jax.Array | np.ndarray, b: jax.Array | np.ndarray) -> bool:
    """Whether two estimates are equal up to f32's rounding; NaN is near NaN."""
    a, b = np.asarray(a), np.asarray(b)
    largest = np.abs(a[np.isfinite(a)]).max(initial=0.0)
    return np.allclose(a, b, rtol=0.0, atol=1e-4 * largest + 1e-9, equal_nan=True)


def require(
    check: str, holds: bool | np.bool, where: str, must: object, came: object
) -> None:
    """Raises AssertionError unless `holds`: which check, where, what must hold."""
    if not holds:
        raise AssertionError(f"{check}: {where}: must be {must}, got {came}")
