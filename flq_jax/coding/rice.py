"""Golomb-Rice codes of whole numbers: gaps between indices, counts of a histogram.

With a parameter m, a number v is m low bits and v div 2^m in unary (Rice 1979). Here all
low bits come first and all unary parts after them, so that both are read at once:

    m in 5 bits | the low m bits of v_0, v_1, ... | v_0 div 2^m zeros, a one, v_1 ...

The sender takes the m of the shortest code, the least of them if there are several.
"""

import jax
import jax.numpy as jnp
import numpy as np

PARAMETER_BITS = 5
_PARAMETERS = 2**PARAMETER_BITS


def lengths(
    values: jax.Array | np.ndarray, xp=jnp, count: jax.Array | int | None = None
) -> jax.Array | np.ndarray:
    """Bits of the code with each parameter, i[32]: 5 + n (m + 1) + sum_i v_i div 2^m.

    Args:
        values: i32 or i64[n], 0 or more, that add up to less than 2**31 - 32 n.
        xp: `jax.numpy`, or `numpy` on the host.
        count: n, where some values, which are 0, are not sent; None sends all.
    """
    m = xp.arange(_PARAMETERS, dtype=values.dtype)
    unary = xp.sum(values[:, None] >> m[None], axis=0, dtype=values.dtype)
    number = values.size if count is None else count
    return PARAMETER_BITS + number * (m + 1) + unary


def write(values: np.ndarray) -> np.ndarray:
    """The bits of i64[n], u8[b] of zeros and ones."""
    m = int(np.argmin(lengths(values, np)))
    ends = np.cumsum((values >> m) + 1) - 1  # where the ones stand
    unary = np.zeros(ends[-1] + 1 if values.size else 0, np.uint8)
    unary[ends] = 1
    return np.concatenate(
        [fixed(np.array([m]), PARAMETER_BITS), fixed(values, m), unary]
    )


def read(bits: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """The first `count` numbers i64[count] of u8[b], and of how many bits they are.

    Raises:
        ValueError: there are not so many.
    """
    m = int(unfixed(bits[:PARAMETER_BITS], 1, PARAMETER_BITS)[0])
    start = PARAMETER_BITS + m * count
    low = unfixed(bits[PARAMETER_BITS:start], count, m)
    ends = np.flatnonzero(bits[start:])[:count]
    if ends.size < count:
        raise ValueError(f"rice: needs {count} numbers, got {ends.size}")
    high = np.diff(ends, prepend=-1) - 1
    return (high << m) + low, start + (int(ends[-1]) + 1 if count else 0)


def fixed(values: np.ndarray, width: int) -> np.ndarray:
    """Numbers of `width` bits one after another, the lowest bit first, u8[n width]."""
    places = np.arange(width, dtype=np.int64)
    return (values.astype(np.int64)[:, None] >> places & 1).astype(np.uint8).reshape(-1)


def unfixed(bits: np.ndarray, count: int, width: int) -> np.ndarray:
    """The inverse of `fixed`, i64[count]; ValueError if there are too few bits."""
    if bits.size < count * width:
        raise ValueError(f"rice: needs {count * width} bits, got {bits.size}")
    fields = bits[: count * width].reshape(count, width).astype(np.int64)
    return fields @ (np.int64(1) << np.arange(width, dtype=np.int64))
