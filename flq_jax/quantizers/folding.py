"""Codes of a vector that was padded to a power of two, in a message about f32[d].

A decoder learns d from the number of codes, so that there are d of them: code i holds
those of the entries i and d + i, of w_i and w_(d+i) bits, side by side. No bit is lost
or added.

Widths are runs (bits, count), as a `Layout` has them: what is said of a billion entries
takes no billion numbers.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from flq_jax.quantizers.base import Layout, joined
from flq_jax.quantizers.rotation import padded_size

Widths = Sequence[tuple[int, int]]


def folded_layout(
    scheme: str, widths: Widths, d: int, num_sides: int, **fields
) -> Layout:
    """The layout of folded codes.

    Args:
        scheme: see `Layout`.
        widths: bits of the codes of n entries, 0 or more each, d <= n <= 2 d.
        d: length of the vector.
        num_sides: see `Layout`.
        fields: further ones of `Layout`.
    """
    edges = {0, d} | {end - i for end in _ends(widths) for i in (0, d)}
    begins_and_ends = pairwise(sorted(edge for edge in edges if 0 <= edge <= d))
    runs = [
        (_width_of(widths, begin) + _width_of(widths, d + begin), end - begin)
        for begin, end in begins_and_ends
    ]
    return Layout(scheme, joined(runs), num_sides, **fields)


def fold(codes: jax.Array, widths: Widths, d: int) -> jax.Array:
    """The d codes of a message, u8[d] or u32[d], of the entries' codes, int[n]."""
    layout = folded_layout("", widths, d, 0)
    extra = codes.size - d
    low, high = codes[:d].astype(jnp.uint32), codes[d:].astype(jnp.uint32)
    folded = low.at[:extra].add(high << _each(widths, extra)) if extra else low
    return folded.astype(jnp.uint8 if layout.widest <= 8 else jnp.uint32)


def unfold(codes: jax.Array, widths: Widths) -> jax.Array:
    """The inverse of `fold`, u32[n]."""
    words = codes.astype(jnp.uint32)
    masks = (np.uint32(1) << _each(widths, codes.size)) - np.uint32(1)
    extra = _ends(widths)[-1] - codes.size
    high = words[:extra] >> _each(widths, extra)
    return jnp.concatenate([words & masks, high])


def equal_widths(bits: int, d: int) -> Widths:
    """The same width for each entry of a vector padded to a power of two."""
    return ((bits, padded_size(d)),)


def _ends(widths: Widths) -> list[int]:
    """Where each run ends."""
    return list(accumulate(count for _, count in widths))


def _width_of(widths: Widths, entry: int) -> int:
    """That of one entry; 0 beyond the last."""
    ended = zip(widths, _ends(widths))
    return next((bits for (bits, _), end in ended if entry < end), 0)


def _each(widths: Widths, size: int) -> jax.Array:
    """Widths of the first entries, u32[size], or u32[] if all n are alike."""
    (bits, end), *others = widths
    each = jnp.uint32(bits)
    for bits, count in others:
        place = lax.iota(jnp.uint32, size)
        each = jnp.where(place < end, each, np.uint32(bits))
        end += count
    return each
