"""Codes of a vector that was padded to a power of two, in a message about f32[d].

A decoder learns d from the number of codes, so that there are d of them: code i holds
those of the entries i and d + i, of w_i and w_(d+i) bits, side by side. No bit is lost
or added.
"""

from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers.base import Layout
from flq_jax.quantizers.rotation import padded_size


def folded_layout(
    scheme: str, widths: np.ndarray, d: int, num_sides: int, **fields
) -> Layout:
    """The layout of folded codes.

    Args:
        scheme: see `Layout`.
        widths: bits of each entry's code, 0 or more, int[n] with d <= n <= 2 d.
        d: length of the vector.
        num_sides: see `Layout`.
        fields: further ones of `Layout`.
    """
    folded = np.array(widths[:d])
    folded[: len(widths) - d] += widths[d:]
    runs = tuple((int(w), len(list(group))) for w, group in groupby(folded))
    return Layout(scheme, runs, num_sides, **fields)


def fold(codes: jax.Array, widths: np.ndarray, d: int) -> jax.Array:
    """The d codes of a message, u8[d] or u32[d], of the entries' codes, int[n]."""
    layout = folded_layout("", widths, d, 0)
    extra = codes.size - d
    low, high = codes[:d].astype(jnp.uint32), codes[d:].astype(jnp.uint32)
    shifts = jnp.asarray(widths[:extra], jnp.uint32)
    folded = low.at[:extra].add(high << shifts) if extra else low
    return folded.astype(jnp.uint8 if layout.widest <= 8 else jnp.uint32)


def unfold(codes: jax.Array, widths: np.ndarray) -> jax.Array:
    """The inverse of `fold`, u32[n]."""
    words = codes.astype(jnp.uint32)
    masks = jnp.asarray(2 ** widths[: codes.size] - 1, jnp.uint32)
    extra = len(widths) - codes.size
    high = words[:extra] >> jnp.asarray(widths[:extra], jnp.uint32)
    return jnp.concatenate([words & masks, high])


def equal_widths(bits: int, d: int) -> np.ndarray:
    """The same width for each entry of a vector padded to a power of two, int[n]."""
    return np.full(padded_size(d), bits)
