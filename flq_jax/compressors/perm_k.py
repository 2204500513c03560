"""Clients who share out the coordinates among themselves: Perm-K."""

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax.arguments import require_integer
from flq_jax.compressors.base import (
    NO_BROADCAST,
    Broadcast,
    Compressor,
    require_any_round,
    require_quantizer,
)
from flq_jax.quantizers import Layout, Message, Quantizer, identity
from flq_jax.quantizers.base import require_one_length
from flq_jax.quantizers.rotation import padded_size, rotate, unrotate


def perm_k(parts: int, values: Quantizer | None = None) -> Compressor:
    """One part of the rotated coordinates each: no two clients of a round send the same.

        z = R x,    x_hat = n R^-1 (0, ..., 0, Q(z_t), 0, ..., 0),

    with R the random rotation that all clients of the round and the server share, z_t the
    part number t of the n of z, and t the client's turn among those whom the network asks,
    counted from a place that they draw together. That is Perm-K (Szlendak, Tyurin and Richtarik 2021, Definition 2), in
    which R is a permutation: a rotation makes all parts alike, and nearly Gaussian, which
    suits a Q. With an exact Q an x_hat is unbiased, E ||x_hat - x||^2 = (n - 1) ||x||^2, as
    of `rand_k`; but the mean of n clients, x_bar = sum_m x_m / n, errs by their differences
    alone,

        E ||mean x_hat_m - x_bar||^2 = sum_m ||x_m||^2 / n - ||x_bar||^2,

    and not at all where they agree: its "AB inequality" with A = B = 1 (Lemma 1). With more
    parts than clients asked, those that are nobody's are left out, and with fewer the turns
    begin again. The lemma is of clients that count alike: one that counts more is heard more
    in its part alone.

    Args:
        parts: n, 2 or more; ValueError otherwise. `layout` raises ValueError for
            vectors that, padded to a power of two, have fewer coordinates.
        values: Q, of f32[w], w = ceil(2^ceil(log2 d) / n), with a code a value, as
            `sign()` or `lloyd_max(4, "gaussian")`; `identity()` if None. A `Quantizer`,
            else TypeError, without a schedule or a choice, else ValueError; by `layout`
            without an entropy code.

    Returns:
        A `Compressor` without memory. A message is that of Q about f32[w], padded with
        codes of no bits to d codes.

    Raises:
        ValueError: by `encode` and `decode`, where nobody tells the shared key: the link
            is for rounds of a `Federation`, on Flower too, and for `compressed_mean`.
    """
    require_integer("perm_k", "parts", parts, 2)
    values = identity() if values is None else values
    require_quantizer("perm_k", values, "it sends values without memory")
    require_any_round("perm_k", values, "x itself does not shrink to zero")
    if values.choose is not None:
        raise ValueError("perm_k: takes no values with a choice or warm-up")

    def init(d):
        del d
        return (), ()

    def width_of(d):
        return -(-padded_size(d) // parts)

    def layout(d):
        size = padded_size(d)
        if parts > size:
            raise ValueError(
                f"perm_k: parts must be at most the {size} rotated coordinates, got {parts=}"
            )
        width = width_of(d)
        require_one_length("perm_k", values, width)
        inner = values.layout(width)
        if inner.num_codes != width:
            raise ValueError(
                f"perm_k: values must have a code each, {width}, got {inner.num_codes} "
                f"of {inner.scheme}"
            )
        # A decoder learns d from the number of codes.
        return Layout(
            f"perm-{parts}-{inner.scheme}",
            (*inner.runs, (0, d - width)),
            inner.num_sides,
            inner.floats,
        )

    def place(broadcast: Broadcast) -> tuple[jax.Array, jax.Array | int]:
        """(the key of the rotation, the number of this client's part)."""
        if not jax.tree.leaves(broadcast.shared):
            raise ValueError(
                "perm_k: needs the key that a round's clients share, Broadcast.shared, as "
                "an uplink of a federation and compressed_mean tell it; here nobody does"
            )
        rotation, first = jax.random.split(jax.random.clone(broadcast.shared))
        first = jax.random.randint(first, (), 0, parts)
        return rotation, (first + broadcast.turn) % parts

    def own_part(x, broadcast):
        """z_t, f32[w]."""
        rotation, part = place(broadcast)
        width = width_of(x.size)
        z = _filled(rotate(rotation, x), parts * width)
        return lax.dynamic_slice(z, (part * width,), (width,))

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        whole = layout(x.size)
        message = values.encode(key, own_part(x, broadcast))
        codes = _filled(message.codes, x.size)
        return Message(codes, message.side, jnp.int32(whole.length)), memory

    def decode(key, message, memory, broadcast=NO_BROADCAST):
        rotation, part = place(broadcast)
        d = message.codes.size
        width = width_of(d)
        mine = parts * values.decode(key, message._replace(codes=message.codes[:width]))
        z = lax.dynamic_update_slice(jnp.zeros(parts * width), mine, (part * width,))
        x_hat = unrotate(rotation, z[: padded_size(d)], d)
        return jnp.where(message.num_bits > 0, x_hat, 0.0), memory

    def overload(x, memory, broadcast=NO_BROADCAST):
        del memory
        return values.overload(own_part(x, broadcast))

    return Compressor(init, encode, decode, layout, overload, turns=True)


def _filled(x: jax.Array, size: int) -> jax.Array:
    """x with zeros behind it, so that there are `size` entries."""
    return jnp.pad(x, (0, size - x.size))
