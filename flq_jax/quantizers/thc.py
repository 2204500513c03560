"""THC: messages that a switch can add up without decoding them."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.arguments import require_integer
from flq_jax.quantizers.base import Message, Quantizer, require_bits
from flq_jax.quantizers.folding import equal_widths, fold, folded_layout, unfold
from flq_jax.quantizers.normal import ndtri
from flq_jax.quantizers.ranges import l2_norm, normalised
from flq_jax.quantizers.rotation import rotate, unrotate
from flq_jax.single import single


class Homomorphic(NamedTuple):
    """A quantizer whose messages can be added before they are decoded.

    Attributes:
        quantizer: of one client's message.
        integers: message -> i32[n], 0 to the granularity; these are what adds up.
        mean: (total i32[n], clients, d) -> f32[d], the mean of the clients' estimates,
            from the sum of their integers.
    """

    quantizer: Quantizer
    integers: Callable[[Message], jax.Array]
    mean: Callable[[jax.Array, int, int], jax.Array]


def thc(
    bits: int = 4,
    granularity: int = 30,
    norm: float | None = None,
    outside: float = 1 / 32,
    seed: int = 0,
) -> Quantizer:
    """The quantizer of `homomorphic_thc`, with a range of its own where norm is None.

    A client then measures its norm and sends it: the messages of different clients have
    different ranges and cannot be added, but nothing need be agreed upon.

    Args:
        bits, granularity, outside, seed: see `homomorphic_thc`.
        norm: the norm that all clients agreed upon, or None.

    Returns:
        A `Quantizer` on f32[d]. A message is d folded codes of bits n in all, n the next
        power of two, and if the norm is measured f32[1] side = ||x||, with 32 bits more.
    """
    if norm is not None:
        return homomorphic_thc(bits, granularity, norm, outside, seed).quantizer
    grid = _checked(bits, granularity, outside, seed)
    name = f"thc{bits}-{granularity}-{float(outside)}-{seed}"

    def layout(d):
        return folded_layout(name, equal_widths(bits, d), d, 1)

    def encode(key, x):
        unit, top = normalised(x)
        length = top * jnp.linalg.norm(unit)
        codes = _codes(key, grid, x, length)
        return Message(codes, length[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key  # the rotation is of the run
        (length,) = message.side
        total = _integers(grid, message)
        return _mean(grid, total, 1, length, message.codes.size)

    return Quantizer(encode, decode, layout)


def homomorphic_thc(
    bits: int = 4,
    granularity: int = 30,
    norm: float = 1.0,
    outside: float = 1 / 32,
    seed: int = 0,
) -> Homomorphic:
    """Stochastic rounding of R x to integers that add up (Li et al. 2024).

    R is a rotation and N a norm that all clients share. With r = t N / sqrt(n) and t the
    deviation that a Gaussian exceeds with odds `outside`,

        y_i = g (clip(z_i, -r, r) / r + 1) / 2 in [0, g],   z = R x,

    is rounded at random to one of the two table entries around it, integers between 0 and
    the granularity g; the code is the entry's number. The mean over m clients is

        R^-1 (r (2 total / (g m) - 1)),   total = sum of table[codes],

    so that a server, or a switch, adds small integers: 8 bits hold the sum of 255 / g
    clients. What exceeds r is clipped, which biases the estimate; error feedback mends it.

    In the paper the clients first send their norms, 32 bits each, and N is the largest.
    Here N is given when the link is made, as a clipping threshold is; who has the norms
    in hand can take their maximum. A longer x is an overload.

    Args:
        bits: of a code, 1 to 8; ValueError otherwise.
        granularity: g, an integer, 2**bits - 1 to 255; ValueError otherwise.
        norm: N > 0; ValueError otherwise.
        outside: share of entries that are clipped, in (0, 1); ValueError otherwise.
        seed: of the rotation, which all clients and rounds share, 0 to 2**32 - 1.

    Returns:
        `Homomorphic`; a message is d folded codes of bits n in all, n the next power of
        two, without side information.
    """
    grid = _checked(bits, granularity, outside, seed)
    if not 0.0 < single(norm) < np.inf:
        raise ValueError(f"thc: norm must be positive and finite, got {norm=}")
    name = f"thc{bits}-{granularity}-{float(outside)}-{seed}-norm{float(norm)}"

    def integers(message):
        return _integers(grid, message)

    def mean(total, clients, d):
        return _mean(grid, total, clients, norm, d)

    def layout(d):
        return folded_layout(name, equal_widths(bits, d), d, 0)

    def encode(key, x):
        codes = _codes(key, grid, x, jnp.float32(norm))
        return Message(codes, jnp.zeros(0), jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key  # the rotation is of the run
        return mean(integers(message), 1, message.codes.size)

    def overload(x):
        return l2_norm(x) > norm * (1 + 1e-6)

    quantizer = Quantizer(encode, decode, layout, overload)
    return Homomorphic(quantizer, integers, mean)


@cache
def best_table(count: int, granularity: int, reach: float) -> tuple[int, ...]:
    """The integers in 0..g, ends among them, that round a Gaussian with least variance.

    Stochastic rounding of y between neighbours a < b has variance (b - y)(y - a); its sum
    over the gaps is minimised exactly by dynamic programming.

    Args:
        count: entries of the table, 2 to g + 1.
        granularity: g.
        reach: t, the deviation at which y is 0 and g.
    """
    g = granularity
    y = (np.arange(64 * g) + 0.5) / 64
    density = np.exp(-0.5 * (reach * (2.0 * y / g - 1.0)) ** 2)
    # Variance of the gap (a, b) from the density's moments below each integer.
    moments = [
        np.concatenate([[0.0], np.cumsum(density * y**k)[63::64]]) for k in range(3)
    ]
    a, b = np.meshgrid(np.arange(g + 1), np.arange(g + 1), indexing="ij")
    zeroth, first, second = (m[b] - m[a] for m in moments)
    cost = np.where(a < b, (a + b) * first - second - a * b * zeroth, np.inf)
    best, choices = cost[0], []
    for _ in range(count - 2):
        through = best[:, None] + cost
        choices.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
    table = [g]
    for choice in reversed(choices):
        table.append(int(choice[table[-1]]))
    return (0, *reversed(table))


class _Grid(NamedTuple):
    """What all clients and rounds share.

    Attributes:
        bits: of a code.
        table: the integers that codes stand for, from 0 to the granularity.
        reach: t, the deviation at which z is clipped.
        seed: of the rotation.
    """

    bits: int
    table: np.ndarray
    reach: float
    seed: int

    @property
    def granularity(self) -> int:
        """g, the largest integer."""
        return int(self.table[-1])


def _checked(bits: int, granularity: int, outside: float, seed: int) -> _Grid:
    """The grid of valid parameters."""
    require_bits("thc", bits)
    require_integer("thc", "seed", seed, 0, 2**32 - 1)
    whole = isinstance(granularity, int) and not isinstance(granularity, bool)
    if not whole or not 2**bits - 1 <= granularity <= 255:
        raise ValueError(
            "thc: granularity must be an integer in 2**bits - 1..255, got "
            f"{granularity=} {bits=}"
        )
    if not 0.0 < single(outside) < 1.0:
        raise ValueError(f"thc: outside must be in (0, 1), got {outside=}")
    reach = float(-ndtri(outside / 2.0))  # not of 1 - outside / 2, which may round to 1
    table = np.array(best_table(2**bits, granularity, reach))
    return _Grid(bits, table, reach, seed)


def _rotation(grid: _Grid) -> jax.Array:
    """The key of the rotation, which both ends know; whatever JAX's default is."""
    return jax.random.key(grid.seed, impl="threefry2x32")


def _codes(key: jax.Array, grid: _Grid, x: jax.Array, norm: jax.Array) -> jax.Array:
    """Folded numbers of the table entries that R x is rounded to at random."""
    z = rotate(_rotation(grid), x)
    radius = grid.reach * norm / z.size**0.5
    table, g = grid.table, grid.granularity
    scaled = z / jnp.where(radius > 0.0, radius, 1.0)
    y = 0.5 * g * (jnp.clip(scaled, -1.0, 1.0) + 1.0)
    below = np.searchsorted(table, np.arange(g), side="right") - 1
    cell = jnp.asarray(below)[jnp.clip(y.astype(jnp.int32), 0, g - 1)]
    low, gap = jnp.asarray(table[:-1])[cell], jnp.asarray(np.diff(table))[cell]
    # `jax.random`, which stores its words: see `draws`.
    codes = cell + (y > low + gap * jax.random.uniform(key, z.shape))
    return fold(codes, equal_widths(grid.bits, x.size), x.size)


def _integers(grid: _Grid, message: Message) -> jax.Array:
    """The table entries of a message, i32[n]."""
    codes = unfold(message.codes, equal_widths(grid.bits, message.codes.size))
    return jnp.asarray(grid.table, jnp.int32)[codes]


def _mean(
    grid: _Grid, total: jax.Array, clients: int, norm: jax.Array | float, d: int
) -> jax.Array:
    """R^-1 (r (2 total / (g m) - 1)), f32[d]."""
    share = 2.0 / (grid.granularity * clients) * total.astype(jnp.float32) - 1.0
    radius = grid.reach * norm / total.size**0.5
    return unrotate(_rotation(grid), radius * share, d)
