"""QUIC-FL: one bit an entry, unbiased for any rotation."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.arguments import require_integer
from flq_jax.quantizers.base import Message, Quantizer
from flq_jax.quantizers.folding import equal_widths, fold, folded_layout, unfold
from flq_jax.quantizers.normal import ndtr
from flq_jax.quantizers.ranges import normalised
from flq_jax.quantizers.rotation import rotate, unrotate

_RANGE = 4.5  # T in standard deviations; few Gaussian vectors reach beyond


def quic_fl(shared_bits: int = 6) -> Quantizer:
    """Rounds R x to one bit with randomness that both ends share (Basat et al. 2024).

    For each entry z in [-T, T] (in standard deviations) both ends draw h, one of
    m = 2**shared_bits cells that partition [-T, T]. Above cell h the code is 1, below it
    0, and inside the client draws it, with odds that rise linearly:

        x_hat = R^-1 values,   value = Delta_h (code - P_h),   E[value] = z,

    with Delta_h m times the cell's width and P_h the mean of P(Z > s) over the cell. The
    values are those of least error for the cells, and the cells, which have equal shares
    of sqrt(P (1 - P)), are the best as m grows (own solution of the paper's program).
    Then ||x - x_hat||^2 / ||x||^2 tends, for Gaussian z, to

        (integral over [-T, T] of sqrt(P(s) (1 - P(s))) ds)^2 - 1  =  1.60,  T = 4.5,

    and to 1.66 with 64 cells.

    The paper has T = 3.1 and sends what lies beyond exactly, which makes messages of
    random length; here T is stretched to the largest entry, all messages have one length
    and the estimate is as unbiased.

    Args:
        shared_bits: 1 to 8, 6 in the paper; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is d folded codes of n bits in all, n the next
        power of two, and f32[1] side, the standard deviation; n + 32 bits. x = 0 decodes
        to exactly 0.
    """
    require_integer("quic_fl", "shared_bits", shared_bits, 1, 8)
    cells = 2**shared_bits

    # `jax.random`, which stores its words: see `draws`.
    def drawn(key, n):
        words = jax.random.bits(key, (n,), jnp.uint32)
        return words.astype(jnp.uint8) & jnp.uint8(cells - 1)

    def encode(key, x):
        key_rotation, key_shared, key_private = jax.random.split(key, 3)
        unit, top = normalised(x)
        z = rotate(key_rotation, unit)
        start, low, high = map(jnp.asarray, one_bit_cells(cells, _RANGE))
        deviation = jnp.sqrt(jnp.mean(jnp.square(z)))
        deviation = jnp.maximum(deviation, jnp.max(jnp.abs(z)) / _RANGE)
        h = drawn(key_shared, z.size)
        inside = jax.random.uniform(key_private, z.shape)
        threshold = start[h] + (high - low)[h] / cells * inside
        above = z > deviation * threshold
        codes = fold(above, equal_widths(1, x.size), x.size)
        side = top * deviation[None]
        return Message(codes, side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        key_rotation, key_shared, _ = jax.random.split(key, 3)
        d = message.codes.size
        above = unfold(message.codes, equal_widths(1, d)) > 0
        _, low, high = map(jnp.asarray, one_bit_cells(cells, _RANGE))
        h = drawn(key_shared, above.size)
        (deviation,) = message.side
        z = deviation * jnp.where(above, high[h], low[h])
        return unrotate(key_rotation, z, d)

    def layout(d):
        return folded_layout(f"quic_fl{shared_bits}", equal_widths(1, d), d, 1)

    return Quantizer(encode, decode, layout)


@cache
def one_bit_cells(cells: int, reach: float) -> tuple[np.ndarray, ...]:
    """The cells of `quic_fl` for Gaussian z, and what the two codes stand for in each.

    A code 1 in cell h adds Delta_h / m to the mean over h of the values, so that cell h
    must begin at mean(low) + sum_(i < h) Delta_i / m for the mean to be z. Given the
    widths, the least E[value^2] has low_h = -Delta_h P_h, and is then
    (1/m) sum Delta_h^2 P_h (1 - P_h).

    Args:
        cells: m, 1 or more.
        reach: T > 0.

    Returns:
        Where each cell begins, the value of code 0 and of code 1, f32[m] each.
    """
    s = np.linspace(-reach, reach, 20001)
    tail = ndtr(-s)

    def integral(y):
        steps = (y[1:] + y[:-1]) / 2 * np.diff(s)
        return np.concatenate([[0.0], np.cumsum(steps)])

    share = integral(np.sqrt(tail * (1.0 - tail)))
    edges = np.interp(np.linspace(0.0, share[-1], cells + 1), share, s)
    width = np.diff(edges)
    low = -cells * np.diff(np.interp(edges, s, integral(tail)))
    start = np.mean(low) + np.concatenate([[0.0], np.cumsum(width)[:-1]])
    high = low + cells * width
    return start.astype(np.float32), low.astype(np.float32), high.astype(np.float32)
