"""What PTX instructions compute of their operands: u64 arrays, or i64 if signed."""

import numpy as np


def arithmetic(name: str, rest: list[str], bits: int, values: list[np.ndarray]):
    """What an instruction computes, before it is cut to its width."""
    x, y, z = (values + [None, None])[:3]
    if name in ("shl", "shr"):
        far, places = y.astype(np.uint64) >= bits, y.astype(np.uint64) % bits
        if name == "shl":
            return np.where(far, 0, x << places.astype(x.dtype))
        return np.where(far, x >> x.dtype.type(63), x >> places.astype(x.dtype))
    if name == "bfe":
        length = z.astype(np.uint64)
        field = (x.astype(np.uint64) >> y.astype(np.uint64)) & ((1 << length) - 1)
        if x.dtype == np.int64:
            return (field << (64 - length)).view(np.int64) >> (64 - length).view(
                np.int64
            )
        return field
    simple = {
        "mov": lambda: x,
        "cvta": lambda: x,
        "cvt": lambda: x,
        "not": lambda: ~x,
        "neg": lambda: -x,
        "add": lambda: x + y,
        "sub": lambda: x - y,
        "and": lambda: x & y,
        "or": lambda: x | y,
        "xor": lambda: x ^ y,
        "mul": lambda: x * y,
        "mad": lambda: x * y + z,
        "div": lambda: x // y,
        "rem": lambda: x % y,
        "min": lambda: np.minimum(x, y),
        "popc": lambda: np.bitwise_count(x),
        "prmt": lambda: _permuted(x, y, z),
    }
    if name in ("div", "rem") and x.dtype != np.uint64:  # rounded down, not to 0
        raise NotImplementedError(".".join([name, *rest]))
    if name == "mul" and "hi" in rest and bits == 32:
        return (x * y) >> x.dtype.type(32)
    if name == "mul" and "hi" in rest and x.dtype == np.uint64 and bits == 64:
        return _high_half(x, y)
    if name not in simple or "hi" in rest:
        raise NotImplementedError(".".join([name, *rest]))
    return simple[name]()


def _high_half(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The upper 64 bits of products of u64, from products of halves."""
    half, low = np.uint64(32), np.uint64(2**32 - 1)
    (x_low, x_high), (y_low, y_high) = ((v & low, v >> half) for v in (x, y))
    middle = x_high * y_low + (x_low * y_low >> half)
    other = x_low * y_high + (middle & low)
    return x_high * y_high + (middle >> half) + (other >> half)


def _permuted(x: np.ndarray, y: np.ndarray, selector: np.ndarray) -> np.ndarray:
    """prmt: four of the eight bytes of x and y, each or its sign."""
    both, result = x | (y << np.uint64(32)), np.zeros_like(x)
    for i in range(4):
        choice = (selector >> np.uint64(4 * i)) & 15
        byte = (both >> (8 * (choice & 7))) & 255
        byte = np.where(choice & 8, np.where(byte & 128, 255, 0).astype(x.dtype), byte)
        result |= byte << np.uint64(8 * i)
    return result
