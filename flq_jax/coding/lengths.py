"""Which codes share a model, and how many bits they cost: exact, and inside jit.

Neighbouring codes of one width are a group, unless an empty run is between them, and so are
the leading codes that rise. After one bit that says which, a group stands as it is, or coded
where that is shorter:

    codes that rise    the gaps between them, less one, in Golomb-Rice code
    wide codes         one of them, where all are alike
    other codes        the first and the last symbol that occurs, how often each of them and
                       between them does, but the last, in Golomb-Rice code, and the codes
                       by a range coder under those frequencies n_s / n

A range coder that knows the frequencies needs L = sum_s n_s log2(n / n_s) bits, and what
its registers of 64 bits and frequencies of 24 lose. Each of the L / 32 words of its output
takes it, on average over where its range stands, log2(1 + n / (357 L)) bits more: by a
symbol a range r shrinks to p floor(r / 2^24) with a loss of 2^23 / r / ln 2 bits at r in
2^32 .. 2^64. Charged are

    ceil(L + L / 2^20 + (L / 24 + 4) log2(1 + n / (256 L))) + 2

bits: L / 2^20 for f32's rounding, half as much again as the loss, and 2 to end the stream.
That is the length that is sent; `stream.write` fills up what the coder leaves.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.coding import rice

WIDEST = 12  # bits of codes that are counted: 4,096 symbols


class Group(NamedTuple):
    """Codes that share a model.

    Attributes:
        bits: of a code as it is.
        start: the first code.
        size: how many.
        rising: whether each is larger than the one before.
    """

    bits: int
    start: int
    size: int
    rising: bool

    @property
    def codable(self) -> bool:
        """Whether there is a model; codes without one stand as they are, or all alike."""
        return self.rising or self.bits <= WIDEST

    @property
    def plain_bits(self) -> int:
        """Bits of the codes as they are."""
        return self.bits * self.size

    def of(self, codes):
        """This group's among all codes."""
        return codes[self.start : self.start + self.size]


def groups(runs: Iterable[tuple[int, int]], rising: int = 0) -> list[Group]:
    """The groups of codes that lie in such runs.

    Args:
        runs: pairs (bits, count); one that is empty, or of no width, parts its neighbours.
        rising: how many codes at the front rise; the end of a run.
    """
    found, start, parted = [], 0, True
    for bits, count in runs:
        risen = start < rising
        alike = not parted and (found[-1].bits, found[-1].rising) == (bits, risen)
        parted = not bits * count
        if alike and not parted:
            found[-1] = found[-1]._replace(size=found[-1].size + count)
        elif not parted:
            found.append(Group(bits, start, count, risen))
        start += count
    return found


def num_bits(codes: jax.Array, runs: Iterable[tuple[int, int]], rising: int = 0):
    """Bits of the codes where each group is written the shorter way, i32[].

    Args:
        codes: u8 or u32, as many as the runs have.
        runs, rising: see `groups`.
    """
    total = jnp.int32(0)
    for group in groups(runs, rising):
        total += 1 + jnp.minimum(group.plain_bits, coded_bits(group.of(codes), group))
    return total


def coded_bits(codes: jax.Array, group: Group) -> jax.Array:
    """Bits of a group's codes in the group's code, i32[]."""
    if not group.codable:
        same = jnp.all(codes == codes[0])
        return jnp.where(same, group.bits, group.plain_bits).astype(jnp.int32)
    if group.rising:
        return jnp.min(rice.lengths(gaps(codes.astype(jnp.int32), jnp)))
    counts = jnp.zeros(2**group.bits, jnp.int32).at[codes.astype(jnp.int32)].add(1)
    ideal, lost = range_bits(counts, group.size, jnp)
    charged = jnp.ceil(ideal + ideal / 2**20 + lost).astype(jnp.int32) + 2
    return head_bits(counts, group.bits, jnp) + charged


def head_bits(counts: jax.Array | np.ndarray, bits: int, xp):
    """Bits that tell how often each symbol occurs, i[]."""
    first, last = ends(counts, xp)
    told = xp.where(xp.arange(counts.size) == last, 0, counts)
    return 2 * bits + xp.min(rice.lengths(told, xp, last - first))


def ends(counts: jax.Array | np.ndarray, xp):
    """The first and the last symbol that occurs."""
    there = counts > 0
    return xp.argmax(there), counts.size - 1 - xp.argmax(there[::-1])


def range_bits(counts: jax.Array | np.ndarray, size: int, xp):
    """Bits of a range coder under frequencies counts / size: ideal, and lost at most."""
    share = xp.log2(size / xp.maximum(counts, 1))
    ideal = xp.sum(xp.where(counts > 0, counts * share, 0.0))
    ratio = xp.where(ideal > 0, size / (256 * xp.maximum(ideal, 1e-9)), 0.0)
    return ideal, (ideal / 24 + 4) * xp.log2(1 + ratio)


def gaps(codes: jax.Array | np.ndarray, xp):
    """How many numbers lie between each code and the one before it."""
    return xp.diff(codes, prepend=xp.asarray([-1], dtype=codes.dtype)) - 1
