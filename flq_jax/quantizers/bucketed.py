"""A quantizer applied to equal pieces: a range for every few hundred coordinates."""

from collections.abc import Sequence
from math import prod

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_instance, require_integer
from flq_jax.quantizers.base import (
    Layout,
    Message,
    Quantizer,
    joined,
    never,
    require_measured,
    require_one_length,
)


def bucketed(quantizer: Quantizer, size: int) -> Quantizer:
    """Applies `quantizer` to each bucket of `size` coordinates (Alistarh et al. 2017).

    All whole buckets are quantized at once, and then what is left over, a bucket of its
    own length. (For unequal pieces, the tensors of a model, there is `segmented`.)

    Args:
        quantizer: a `Quantizer`, else TypeError, that makes n codes of n coordinates, by a grid of its own and the
            same in each round, with codes of one width for `size` of them; ValueError
            otherwise, and for a `one_of` or a `warm_up`, which go around it.
        size: coordinates of a bucket, 1 or more; ValueError otherwise.
    """
    require_instance("bucketed", "quantizer", quantizer, Quantizer)
    require_integer("bucketed", "size", size, 1)
    return _bucketed("bucketed", quantizer, size)


def in_parts(quantizer: Quantizer, parts: int) -> Quantizer:
    """Applies `quantizer` to each of `parts` equal parts of a vector of any length.

    `bucketed(quantizer, ceil(d / parts))` of f32[d]; the last part is shorter where d is no
    multiple of that size, and where d is small there may be fewer parts. Inside `rotated`,
    they are those of `perm_k(parts, quantizer)`.

    Args:
        quantizer: as of `bucketed`, for vectors of any length.
        parts: 1 or more; ValueError otherwise.
    """
    require_instance("in_parts", "quantizer", quantizer, Quantizer)
    require_integer("in_parts", "parts", parts, 1)

    def of(d):
        return _bucketed("in_parts", quantizer, -(-d // parts))

    of(parts)  # which says now what it would say of a vector

    def encode(key, x):
        return of(x.size).encode(key, x)

    def decode(key, message):
        return of(message.codes.size).decode(key, message)

    def overload(x):
        return of(x.size).overload(x)

    fits = quantizer.overload is never
    return Quantizer(
        encode, decode, lambda d: of(d).layout(d), never if fits else overload
    )


def _bucketed(caller: str, quantizer: Quantizer, size: int) -> Quantizer:
    if quantizer.choose is not None:
        raise ValueError(f"{caller}: takes no choice; choose among several {caller}")
    require_measured(caller, quantizer)
    require_one_length(caller, quantizer, size)
    one = quantizer.layout(size)
    if one.num_codes != size or len(one.runs) != 1:
        raise ValueError(
            f"{caller}: needs a quantizer with one code a coordinate, got {one}"
        )

    def pieces(d):
        """How many buckets there are of which layout: whole ones, and the rest."""
        whole, rest = divmod(d, size)
        parts = [(whole, one)] if whole else []
        return parts + ([(1, quantizer.layout(rest))] if rest else [])

    def layout(d):
        parts = pieces(d)
        runs = [(bits, n * count) for n, part in parts for bits, count in part.runs]
        sides = sum(n * part.num_sides for n, part in parts)
        return Layout(f"{one.scheme}/{size}", joined(runs), sides, one.floats)

    def split(x):
        return _cut(x, [(n, part.num_codes) for n, part in pieces(x.size)])

    def keys_of(key, parts):
        counts = [(n,) for n, _ in parts]
        return _cut(jax.random.split(key, sum(n for n, _ in parts)), counts)

    def encode(key, x):
        keys = keys_of(key, pieces(x.size))
        parts = [jax.vmap(quantizer.encode)(k, b) for k, b in zip(keys, split(x))]
        return Message(
            jnp.concatenate([part.codes.ravel() for part in parts]),
            jnp.concatenate([part.side.ravel() for part in parts]),
            jnp.int32(layout(x.size).length),
        )

    def decode(key, message):
        parts = pieces(message.codes.size)
        sides = _cut(message.side, [(n, part.num_sides) for n, part in parts])
        lengths = [jnp.full(n, part.length, jnp.int32) for n, part in parts]
        messages = map(Message, split(message.codes), sides, lengths)
        return jnp.concatenate(
            [
                jax.vmap(quantizer.decode)(k, each).ravel()
                for k, each in zip(keys_of(key, parts), messages)
            ]
        )

    def overload(x):
        parts = [jnp.any(jax.vmap(quantizer.overload)(part)) for part in split(x)]
        return jnp.any(jnp.stack(parts))

    fits = quantizer.overload is never
    return Quantizer(encode, decode, layout, never if fits else overload)


def _cut(vector: jax.Array, shapes: Sequence[tuple[int, ...]]) -> list[jax.Array]:
    """Consecutive pieces of a vector, in these shapes."""
    ends = [sum(map(prod, shapes[: i + 1])) for i in range(len(shapes))]
    return [
        vector[end - prod(shape) : end].reshape(shape)
        for end, shape in zip(ends, shapes)
    ]
