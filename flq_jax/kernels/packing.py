"""Integer operands of low-bit products, as codes and as packed words.

A packed word is an i32 that holds one bit of 32 neighbours along the contracted axis:
bit j of word w belongs to element 32 w + j. Words are signed because the compiler for
NVIDIA GPUs refuses the population count of unsigned ones. The unused high bits of the
last word are 0, in both operands of a product, so that they count for nothing under xor
and under and.
"""

from dataclasses import dataclass, field
from functools import reduce
from operator import add

import jax
import jax.numpy as jnp
from jax import lax

WORD_BITS = 32


def _static():
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Codes:
    """Integers on a grid of 2**bits levels; made by `as_codes` or `as_signs`.

    With n = 2**bits - 1 the value of a code c in 0..n is

        c          in 0..n,               if unsigned (DoReFa's activations, times n),
        2 c - n    in -n, 2 - n, .., n,   if signed (DoReFa's weights, times n).

    One signed bit is +-1.

    Attributes:
        codes: u8[...].
        bits: 1 to 8.
        signed: which of the two grids.
    """

    codes: jax.Array
    bits: int = _static()
    signed: bool = _static()

    @property
    def values(self) -> jax.Array:
        """The integers that the codes stand for, i32[...]."""
        scale, offset = grid(self)
        return scale * self.codes.astype(jnp.int32) - offset


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Packed:
    """The bit planes of `Codes`, 32 elements to a word; made by `pack`.

    Attributes:
        words: i32[bits, ...], plane j holding bit j of every code; the packed axis,
            `length` elements, has become groups * ceil(length / groups / 32) words.
        length: elements along the packed axis.
        axis: which axis is packed, counted from the end, so negative.
        groups: equal parts of the packed axis, each filling words of its own.
        signed: as in `Codes`.
    """

    words: jax.Array
    length: int = _static()
    axis: int = _static()
    groups: int = _static()
    signed: bool = _static()

    @property
    def bits(self) -> int:
        return self.words.shape[0]


def grid(operand: Codes | Packed) -> tuple[int, int]:
    """(scale, offset) of an operand's grid: its values are scale * code - offset."""
    return (2, 2**operand.bits - 1) if operand.signed else (1, 0)


def num_words(length: int) -> int:
    """Words that hold `length` bits: ceil(length / 32)."""
    return -(-length // WORD_BITS)


def as_codes(codes: jax.Array, bits: int, signed: bool = False) -> Codes:
    """Takes integers 0..2**bits - 1 as `Codes`.

    Args:
        codes: integers of any dtype; bits above the lowest `bits` are dropped.
            ValueError if floats.
        bits: 1 to 8; ValueError otherwise.
        signed: see `Codes`.
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 8:
        raise ValueError(f"as_codes: bits must be an integer in 1..8, got {bits=}")
    if not jnp.issubdtype(codes.dtype, jnp.integer):
        raise ValueError(
            f"as_codes: codes must be integers in 0..{2**bits - 1}, got {codes.dtype=}"
        )
    return Codes(codes.astype(jnp.uint8) & jnp.uint8(2**bits - 1), bits, signed)


def as_signs(x: jax.Array) -> Codes:
    """The signs of x as one-bit `Codes`: +1 where x >= 0, -1 elsewhere.

    Args:
        x: reals or integers of any shape; ValueError if bool, whose False is no sign.
    """
    if x.dtype == jnp.bool_:
        raise ValueError(
            f"as_signs: x must be numbers, whose sign counts, got {x.dtype=}"
        )
    return Codes((x >= 0).astype(jnp.uint8), 1, True)


def pack(operand: Codes, axis: int = -1, groups: int = 1) -> Packed:
    """Packs codes along one axis, 32 to a word, one plane of words for each bit.

    Args:
        operand: `Codes` of any length along `axis`.
        axis: the axis that a product will contract, counted from the end; ValueError
            if not negative, for that would change its meaning under vmap.
        groups: parts of the axis that start a word each; must divide its length,
            ValueError otherwise.
    """
    codes = operand.codes
    if not -codes.ndim <= axis < 0:
        raise ValueError(
            f"pack: axis must be in {-codes.ndim}..-1 for codes of shape {codes.shape}, "
            f"got {axis=}"
        )
    length = codes.shape[axis]
    if groups < 1 or length % groups:
        raise ValueError(
            f"pack: groups must divide the packed axis of {length}, got {groups=}"
        )
    at = codes.ndim + axis
    head, tail = codes.shape[:at], codes.shape[at + 1 :]
    size = length // groups
    codes = codes.reshape(*head, groups, size, *tail)
    padding = [(0, 0)] * codes.ndim
    padding[at + 1] = (0, -size % WORD_BITS)
    codes = jnp.pad(codes, padding)
    codes = codes.reshape(*head, groups * num_words(size), WORD_BITS, *tail)
    planes = [_pack_bits(codes >> jnp.uint8(j), at + 1) for j in range(operand.bits)]
    return Packed(jnp.stack(planes), length, axis, groups, operand.signed)


def _pack_bits(codes: jax.Array, axis: int) -> jax.Array:
    """The lowest bits of u8[..., 32, ...] as i32[..., ...], by one reduction."""
    lowest = (codes & jnp.uint8(1)).astype(jnp.uint32)
    place = lax.broadcasted_iota(jnp.uint32, codes.shape, axis)
    words = jnp.sum(lowest << place, axis, dtype=jnp.uint32)
    return lax.bitcast_convert_type(words, jnp.int32)


def unpack(packed: Packed) -> Codes:
    """The `Codes` that `pack` was given."""
    words = packed.words[0]
    at = words.ndim + packed.axis
    head, tail = words.shape[:at], words.shape[at + 1 :]
    size = packed.length // packed.groups
    planes = (_unpack_bits(words, at) for words in packed.words)
    codes = reduce(add, (plane << jnp.uint8(j) for j, plane in enumerate(planes)))
    codes = codes.reshape(*head, packed.groups, -1, *tail)
    codes = lax.slice_in_dim(codes, 0, size, axis=at + 1)
    codes = codes.reshape(*head, packed.length, *tail)
    return Codes(codes, packed.bits, packed.signed)


def _unpack_bits(words: jax.Array, at: int) -> jax.Array:
    words = jnp.expand_dims(words, at + 1)
    shape = words.shape[: at + 1] + (WORD_BITS,) + words.shape[at + 2 :]
    place = lax.broadcasted_iota(jnp.int32, shape, at + 1)
    bits = lax.shift_right_logical(jnp.broadcast_to(words, shape), place)
    return (bits & 1).astype(jnp.uint8)


def code_sums(packed: Packed) -> jax.Array:
    """Sums of codes over the packed axis, group by group: i32[..., groups, ...]."""
    counts = lax.population_count(packed.words)
    at = counts.ndim + packed.axis
    shape = counts.shape[:at] + (packed.groups, -1) + counts.shape[at + 1 :]
    counts = jnp.sum(counts.reshape(shape), at + 1)
    return reduce(add, (plane << j for j, plane in enumerate(counts)))
