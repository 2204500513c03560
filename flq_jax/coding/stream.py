"""Entropy-coded codes as bits, and back: what `lengths.num_bits` counts.

For each group of codes a bit, 1 if it is coded, and then the codes themselves, or one of them
for all, or the Golomb-Rice code of their gaps, or the ends of their symbols and the counts of
these; at the end, if any group has counts, the words of one range coder for all such groups
(the library `constriction`, words of 32 bits, the highest bit first), cut to the bits that are
left.
"""

import numpy as np

from flq_jax.coding import rice
from flq_jax.coding.lengths import Group, ends, gaps, groups, head_bits, range_bits
from flq_jax.coding.range_coder import constriction, model, ranks

_WORD = 32


class CodingError(ValueError):
    """Bits that are not of this coder, or too few for these codes."""


def write(codes: np.ndarray, runs, rising: int, length: int) -> np.ndarray:
    """The bits of codes, u8[length] of zeros and ones.

    Args:
        codes: u8 or u32.
        runs, rising: see `lengths.groups`.
        length: that `num_bits` counted, or more.

    Raises:
        CodingError: they need more; ImportError: constriction is missing and needed.
    """
    head, tail = [], []
    for group in groups(runs, rising):
        part = group.of(codes).astype(np.int64)
        coded = _coded(part, group)
        head.append(np.array([coded], np.uint8))
        if not coded:
            head.append(rice.fixed(part, group.bits))
        elif not group.codable:
            head.append(rice.fixed(part[:1], group.bits))
        elif group.rising:
            head.append(rice.write(gaps(part, np)))
        else:
            counts = np.bincount(part, minlength=2**group.bits)
            first, last = ends(counts, np)
            head.append(rice.fixed(np.array([first, last]), group.bits))
            head.append(rice.write(counts[first:last]))
            tail.append((part, counts))
    bits = np.concatenate([np.zeros(0, np.uint8), *head])
    left = length - bits.size
    if left < 0:
        raise CodingError(
            f"coding: the codes need {bits.size} bits or more, got {length}"
        )
    return np.concatenate([bits, _range_coded(tail, left)])


def read(bits: np.ndarray, runs, rising: int) -> np.ndarray:
    """The codes that `write` was given, i64.

    Args:
        bits: any zeros and ones, u8.
        runs, rising: see `lengths.groups`.

    Raises:
        CodingError: they are not from `write`; ImportError as there.
    """
    codes = np.zeros(sum(count for _, count in runs), np.int64)
    tail = []
    for group in groups(runs, rising):
        coded, bits = bits[:1].any(), bits[1:]
        try:
            if not coded:
                part, used = (
                    rice.unfixed(bits, group.size, group.bits),
                    group.plain_bits,
                )
            elif not group.codable:
                part, used = rice.unfixed(bits, 1, group.bits), group.bits
                part = np.full(group.size, part[0])
            elif group.rising:
                between, used = rice.read(bits, group.size)
                part = np.cumsum(_below(between, 2**group.bits) + 1) - 1
                _below(part, 2**group.bits)
            else:
                counts, used = _counts(bits, group)
                tail.append((group, counts))
                part = np.zeros(group.size, np.int64)
        except ValueError as error:
            raise CodingError(f"coding: {error}") from error
        codes[group.start : group.start + group.size] = part
        bits = bits[used:]
    for (group, _), part in zip(tail, _range_decoded(tail, bits)):
        codes[group.start : group.start + group.size] = part
    return codes


def _coded(codes: np.ndarray, group: Group) -> bool:
    """Whether the group's code is as short as the codes as they are.

    Where f32 and f64 round to two sides of that the two lengths are one: no bit is missing.
    """
    if not group.codable:
        return codes.size > 1 and bool((codes == codes[0]).all())
    if group.rising:
        return bool(rice.lengths(gaps(codes, np), np).min() < group.plain_bits)
    counts = np.bincount(codes, minlength=2**group.bits)
    needed = (
        head_bits(counts, group.bits, np) + sum(range_bits(counts, group.size, np)) + 2
    )
    return bool(needed <= group.plain_bits)


def _counts(bits: np.ndarray, group: Group) -> tuple[np.ndarray, int]:
    """How often each symbol occurs, and in how many bits that stands; else ValueError."""
    first, last = rice.unfixed(bits, 2, group.bits)
    used = 2 * group.bits
    told, more = rice.read(bits[used:], max(last - first, 0))
    counts = np.zeros(2**group.bits, np.int64)
    counts[first:last] = _below(told, group.size + 1)
    counts[last] = group.size - told.sum()
    return counts, used + more


def _below(values: np.ndarray, bound: int) -> np.ndarray:
    """The values themselves; ValueError unless all are below the bound."""
    if (largest := values.max(initial=0)) >= bound:
        raise ValueError(f"needs numbers below {bound}, got {largest}")
    return values


def _range_coded(parts: list, length: int) -> np.ndarray:
    """The words of a range coder, cut or filled up to `length` bits.

    Some number of so many bits lies in the coder's last interval, if that is as wide as two
    of their steps: the one below the coder's own number, or the one above.
    """
    if not any(np.count_nonzero(counts) > 1 for _, counts in parts):
        return np.zeros(length, np.uint8)
    coder, _ = constriction()
    encoder = coder.RangeEncoder()
    for codes, counts in parts:
        if np.count_nonzero(counts) > 1:
            encoder.encode(ranks(counts)[codes].astype(np.int32), model(counts))
    words = encoder.get_compressed().astype(">u4").tobytes()
    excess = 8 * len(words) - length
    number = int.from_bytes(words, "big")
    if excess <= 0:
        return _bits(number << -excess, length)
    told = [(Group(0, 0, codes.size, False), counts) for codes, counts in parts]
    for near in (number >> excess, (number >> excess) + 1):
        if near >> length:
            continue
        bits = _bits(near, length)
        try:
            read_back = _range_decoded(told, bits)
        except CodingError:
            continue
        if all(map(np.array_equal, read_back, (codes for codes, _ in parts))):
            return bits
    raise CodingError(f"coding: the range coder needs more than {length} bits")


def _range_decoded(parts: list, bits: np.ndarray) -> list[np.ndarray]:
    """The codes of each (group, counts)."""
    for group, counts in parts:
        if counts.min() < 0 or counts.sum() != group.size:
            raise CodingError(f"coding: counts must add up to {group.size}")
    if not any(np.count_nonzero(counts) > 1 for _, counts in parts):
        return [np.full(group.size, np.argmax(counts)) for group, counts in parts]
    coder, _ = constriction()
    filled = np.pad(bits, (0, -bits.size % _WORD))
    words = np.packbits(filled).view(">u4").astype(np.uint32)
    decoder, found = coder.RangeDecoder(words), []
    for group, counts in parts:
        present = np.flatnonzero(counts)
        if present.size == 1:
            found.append(np.full(group.size, present[0]))
            continue
        try:
            found.append(present[decoder.decode(model(counts), group.size)])
        except AssertionError as error:  # what constriction calls an impossible word
            raise CodingError(
                f"coding: words must be of a coder, got {error}"
            ) from error
    return found


def _bits(number: int, length: int) -> np.ndarray:
    """The highest bit first."""
    whole = -(-length // 8)
    data = (number << 8 * whole - length).to_bytes(whole, "big")
    return np.unpackbits(np.frombuffer(data, np.uint8))[:length]
