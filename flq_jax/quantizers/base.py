"""What crosses the link, and the pair of functions that makes and reads it."""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from flq_jax import coding


class Message(NamedTuple):
    """Everything that crosses the link; a decoder may look at nothing else.

    Attributes:
        codes: integer codes, u8[...] or u32[...].
        side: side information such as ranges and norms, f32[s]; s may be 0.
        num_bits: length as transmitted, i32[], in units of its `Layout.unit` bits, which
            is 1 below 2^31 bits; 0 when the client stays silent.
    """

    codes: jax.Array
    side: jax.Array
    num_bits: jax.Array


class Layout(NamedTuple):
    """The shape of a quantizer's messages: what both ends know without being told.

    Attributes:
        scheme: the quantizer's name with its parameters; a frame of another scheme is
            refused.
        runs: pairs (bits, count): so many codes of that true width, 0 to 32, one run
            after another. Most quantizers have one run, see `of`. Codes without width
            are 0 and not sent: entries that both ends know to be left out.
        num_sides: f32 numbers of side information in a message.
        floats: whether a code is an uncompressed float, which some papers count with
            32 bits and others with 64.
        options: if there are any, each message has one of these layouts instead, told by
            its length, see `one_of`; the fields above hold the largest of them.
        rising: how many codes at the front, a run of them or more, are each larger than
            the one before: indices in order.
        coded: whether codes are sent by an entropy code, see `entropy_coded`: a message
            has then a length of its own, which those below are the bounds of.
    """

    scheme: str
    runs: tuple[tuple[int, int], ...]
    num_sides: int = 0
    floats: bool = False
    options: tuple["Layout", ...] = ()
    rising: int = 0
    coded: bool = False

    @classmethod
    def of(
        cls, scheme: str, bits: int, num_codes: int, num_sides: int = 0, **fields
    ) -> "Layout":
        """The layout of `num_codes` codes that are all `bits` wide."""
        return cls(scheme, ((bits, num_codes),), num_sides, **fields)

    @property
    def num_codes(self) -> int:
        """Codes in a message."""
        return sum(count for _, count in self.runs)

    @property
    def widest(self) -> int:
        """Bits of the widest code: u8 holds 8, wider ones need u32."""
        return max(bits for bits, _ in self.runs)

    @property
    def code_dtype(self) -> type:
        """Of the codes in memory: u8 if that holds them, or u32."""
        return jnp.uint8 if self.widest <= 8 else jnp.uint32

    @property
    def code_bits(self) -> int:
        """Bits of all codes together."""
        return sum(bits * count for bits, count in self.runs)

    @property
    def num_bits(self) -> int:
        """Length of a message that is sent: codes and sides; of several, the longest."""
        if self.options:
            return max(option.num_bits for option in self.options)
        flags = len(coding.groups(self.runs, self.rising)) if self.coded else 0
        return self.code_bits + 32 * self.num_sides + flags

    @property
    def unit(self) -> int:
        """Bits that a message's `num_bits` counts as one: a power of two.

        1 for messages below 2^31 bits, or 268 MB. Beyond, the least at which the longest
        is counted below 2^31: JAX has no wider integers than i32, unless all that it
        computes is twice as wide.
        """
        return 1 << max(0, self.num_bits.bit_length() - 31)

    @property
    def length(self) -> int:
        """The `num_bits` of a message that is sent; of options, of the longest."""
        return self.num_bits // self.unit

    @property
    def lengths(self) -> tuple[int, ...]:
        """That of each option; of a layout without options, its own."""
        return tuple(each.num_bits // self.unit for each in self.options or (self,))

    def of_length(self, length: int) -> "Layout | None":
        """The layout of messages with that `num_bits`, itself or an option, or None."""
        if self.coded:
            return self if 32 * self.num_sides < length <= self.num_bits else None
        found = zip(self.lengths, self.options or (self,))
        return dict(found).get(int(length))

    def bits_of(self, length: int) -> int:
        """The bits, however many, of a message with that `num_bits`."""
        sent = self.of_length(length)
        if sent is None or sent.coded:
            return int(length) * self.unit
        return sent.num_bits


def joined(runs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Runs (bits, count) with neighbours of the same width in one."""
    groups = groupby(runs, key=itemgetter(0))
    return tuple((bits, sum(count for _, count in group)) for bits, group in groups)


def never(x: jax.Array) -> jax.Array:
    """The `overload` of a grid that fits any x: False, bool[]."""
    return jnp.zeros((), bool)


def exactly(function: Callable) -> Callable:
    """Marks an encoder, or the decoder, of a pair that keeps x to the bit.

    It is the functions that say it, and not what holds them: who replaces one of them
    has a pair that does not.
    """
    # pyrefly: ignore[missing-attribute] a function takes marks
    function.exact = True
    return function


def both_exact(encode: Callable, decode: Callable) -> bool:
    """Whether the pair says that x_hat = x, see `exactly`."""
    return all(getattr(function, "exact", False) for function in (encode, decode))


class Quantizer(NamedTuple):
    """A map without memory: f32[d] -> `Message` -> f32[d].

    Attributes:
        encode: (key, x) -> Message.
        decode: (key, message) -> f32[d]; `key` is the encoder's, for schemes whose two
            ends share their randomness.
        layout: d -> `Layout` of the messages about f32[d].
        overload: x -> bool[], whether x lies outside what the grid can represent, so
            that the stated error bound does not hold. Most grids fit any x.
        schedule: round index i32[] -> the `Quantizer` of that round, for grids agreed
            upon in advance; None where all rounds are alike.
        choose: (round index i32[], choice i32[]) -> the `Quantizer` that encodes by
            that option, see `one_of`; whatever it is, `decode` is the same. None where
            there is no choice.
        warm_up: rounds at the start in which it sends floats, see `warm_up`.
    """

    encode: Callable[[jax.Array, jax.Array], Message]
    decode: Callable[[jax.Array, Message], jax.Array]
    layout: Callable[[int], Layout]
    overload: Callable[[jax.Array], jax.Array] = never
    schedule: Callable[[jax.Array | int], "Quantizer"] | None = None
    choose: Callable[[jax.Array | int, jax.Array | int], "Quantizer"] | None = None
    warm_up: int = 0

    @property
    def exact(self) -> bool:
        """Whether x_hat = x, bit for bit, for any x, so that nobody need make a message
        to know what is heard, see `exactly`."""
        return both_exact(self.encode, self.decode)

    def at(
        self, round_index: jax.Array | int, choice: jax.Array | int = 0
    ) -> "Quantizer":
        """The quantizer of round `round_index`, i32[], for an encoder told `choice`."""
        if self.choose is not None:
            return self.choose(round_index, choice)
        return self if self.schedule is None else self.schedule(round_index)


def require_bits(where: str, bits: int, low: int = 1, high: int = 8) -> None:
    """Raises ValueError unless `bits` is an integer in low..high."""
    if isinstance(bits, bool) or not isinstance(bits, int) or not low <= bits <= high:
        raise ValueError(
            f"{where}: bits must be an integer in {low}..{high}, got {bits=}"
        )


def require_indices(where: str, what: str, count: int) -> None:
    """Raises ValueError unless i32, JAX's integers, number `count` entries."""
    if count >= 2**31:
        raise ValueError(
            f"{where}: {what} must be fewer than 2**31 (i32 indices), got {count:,}"
        )


def require_one_length(where: str, quantizer: Quantizer, d: int) -> None:
    """Raises ValueError if messages about f32[d] have lengths of their own."""
    if quantizer.layout(d).coded:
        raise ValueError(
            f"{where}: takes no entropy-coded part, whose length is not sent: code the "
            f"whole, entropy_coded({where}(...))"
        )


def require_measured(where: str, quantizer: Quantizer) -> None:
    """Raises ValueError if the grid shrinks on a schedule: pieces would not follow it."""
    if quantizer.schedule is not None:
        raise ValueError(
            f"{where}: takes no grid with a prescribed radius, which is that of all of "
            "x, and of every piece: leave the pieces out"
        )


def as_bytes(whole: jax.Array) -> jax.Array:
    """Whole numbers in 0..255, f32[...], as u8[...]: the last byte of w + 2^23.

    Other numbers, and NaN, become some byte. A conversion says what becomes of them,
    which takes a CPU as long again as rounding to a grid.
    """
    word = lax.bitcast_convert_type(whole + np.float32(2**23), jnp.uint32)
    return word.astype(jnp.uint8)
