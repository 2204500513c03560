"""A few coordinates: which ones, and their values, as they are or quantized."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_instance, require_integer
from flq_jax.quantizers.base import (
    Layout,
    Message,
    Quantizer,
    never,
    require_indices,
    require_one_length,
)
from flq_jax.quantizers.sampling import distinct


def top_k(k: int | float, d: int, *, values: Quantizer | None = None) -> Quantizer:
    """Sends the k coordinates of largest magnitude (Aji and Heafield 2017).

    A contraction: ||x - x_hat||^2 <= (1 - k / d) ||x||^2 (Stich et al. 2018).

    With a quantizer of their values, x_hat has Q(x_1, ..., x_k) at the k coordinates, as
    Qsparse-local-SGD (Basu et al. 2019) and SparseLoCo (Sarfi et al. 2025; it takes the top
    k of each chunk of x, with two bits a value) have it; then ||x - x_hat||^2 is what top-k
    leaves and ||v - Q(v)||^2 of the k values v. Their coordinates are sent in rising order,
    so that `entropy_coded` sends the gaps: about log2(d / k) + 2 bits each.

    Args:
        k: how many, an integer in 1..d, or as a float in (0, 1] their share of d, which
            makes one or more; ValueError otherwise.
        d: length of x, which the decoder cannot tell from a message, below 2**31;
            ValueError otherwise.
        values: of the k values, a `Quantizer`, else TypeError, without schedule or choice,
            else ValueError. None sends them as they are, and the coordinates by falling magnitude;
            `identity()` sends them as they are, too.

    Returns:
        A `Quantizer` on f32[d]. A message is codes u8 or u32[k], the coordinates'
        numbers, and f32[k] sides, their values; it costs k (ceil(log2 d) + 32) bits. With
        a quantizer it has the codes and sides of that behind the numbers. x = 0 decodes to
        exactly 0, if the quantizer has it so.
    """
    k = _number("top_k", k, d)
    width = max((d - 1).bit_length(), 1)
    if values is not None:
        return _top_k_quantized(k, d, width, values)
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


def _top_k_quantized(k: int, d: int, width: int, values: Quantizer) -> Quantizer:
    """Top-k of which the values are quantized, and the indices rise."""
    require_instance("top_k", "values", values, Quantizer)
    if values.schedule is not None or values.choose is not None:
        raise ValueError("top_k: takes no values with a schedule or a choice")
    require_one_length("top_k", values, k)
    of_values = values.layout(k)
    layout = Layout(
        f"top-{k}-of-{d}-{of_values.scheme}",
        ((width, k), *of_values.runs),
        of_values.num_sides,
        rising=k,
    )

    def largest(x):
        return jnp.sort(jax.lax.top_k(jnp.abs(x), k)[1])

    def encode(key, x):
        indices = largest(x)
        sent = values.encode(key, x[indices])
        codes = [part.astype(layout.code_dtype) for part in (indices, sent.codes)]
        return Message(jnp.concatenate(codes), sent.side, jnp.int32(layout.length))

    def decode(key, message):
        indices, codes = message.codes[:k], message.codes[k:]
        codes = codes.astype(of_values.code_dtype)
        length = jnp.int32(of_values.length)
        x_k = values.decode(key, Message(codes, message.side, length))
        return jnp.zeros(d).at[indices].set(x_k)

    def overload(x):
        return values.overload(x[largest(x)])

    fits = values.overload is never
    only = _only("top_k", d, layout)
    return Quantizer(encode, decode, only, never if fits else overload)


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
