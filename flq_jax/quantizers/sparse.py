"""A few coordinates, exactly: which ones, and their values."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.quantizers.base import Layout, Message, Quantizer, require_indices
from flq_jax.quantizers.sampling import distinct


def top_k(k: int | float, d: int) -> Quantizer:
    """Sends the k coordinates of largest magnitude (Aji and Heafield 2017).

    A contraction: ||x - x_hat||^2 <= (1 - k / d) ||x||^2 (Stich et al. 2018).

    Args:
        k: how many, an integer in 1..d, or as a float in (0, 1] their share of d, which
            makes one or more; ValueError otherwise.
        d: length of x, which the decoder cannot tell from a message, below 2**31;
            ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is codes u8 or u32[k], the coordinates'
        numbers, and f32[k] sides, their values; it costs k (ceil(log2 d) + 32) bits.
        x = 0 decodes to exactly 0.
    """
    k = _number("top_k", k, d)
    width = max((d - 1).bit_length(), 1)
    layout = Layout.of(f"top-{k}-of-{d}", width, k, k)

    def encode(key, x):
        del key  # deterministic
        indices = jax.lax.top_k(jnp.abs(x), k)[1]
        codes = indices.astype(jnp.uint8 if width <= 8 else jnp.uint32)
        return Message(codes, x[indices], jnp.int32(layout.length))

    def decode(key, message):
        del key
        return jnp.zeros(d).at[message.codes].set(message.side)

    return Quantizer(encode, decode, _only("top_k", d, layout))


def rand_k(k: int | float, d: int) -> Quantizer:
    """Sends k coordinates drawn at random, magnified by d / k (Stich et al. 2018).

    Unbiased, with E ||x_hat - x||^2 = (d / k - 1) ||x||^2. Both ends draw the coordinates
    from the key that they share, so that their numbers cost nothing.

    Args:
        k: how many, an integer in 1..d, or as a float in (0, 1] their share of d, which
            makes one or more; ValueError otherwise.
        d: length of x, which the decoder cannot tell from a message, below 2**31;
            ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d]. A message is no codes, u8[0], and f32[k] sides, the
        coordinates' values; it costs 32 k bits. x = 0 decodes to exactly 0.
    """
    k = _number("rand_k", k, d)
    layout = Layout.of(f"rand-{k}-of-{d}", 1, 0, k)

    def drawn(key):
        return distinct(key, k, d)

    def encode(key, x):
        codes = jnp.zeros(0, jnp.uint8)
        return Message(codes, x[drawn(key)], jnp.int32(layout.length))

    def decode(key, message):
        return jnp.zeros(d).at[drawn(key)].set(d / k * message.side)

    return Quantizer(encode, decode, _only("rand_k", d, layout))


def _number(where: str, k: int | float, d: int) -> int:
    """How many of d coordinates k is."""
    if isinstance(d, int):
        require_indices(where, "coordinates", d)
    require_integer(where, "d", d, 1)
    if isinstance(k, float) and 0.0 < k <= 1.0:
        return max(1, round(k * d))
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= d:
        raise ValueError(
            f"{where}: k must be an integer in 1..d, or a share in (0, 1], got {k=} {d=}"
        )
    return k


def _only(where: str, d: int, layout: Layout) -> Callable[[int], Layout]:
    def of(length):
        if length != d:
            raise ValueError(f"{where}: was made for {d=}, got a length of {length}")
        return layout

    return of
