"""The two ends of a compressor as programs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from flq_jax.compressors.base import Broadcast, Compressor
from flq_jax.quantizers import Layout, Message
from flq_jax.testing.common import require
from flq_jax.testing.programs import (
    key_data,
    message_like,
    shapes,
    traced,
    traced_decoder,
    typed,
)


class Link(NamedTuple):
    """Both ends of a compressor as programs, and what they start from.

    Attributes:
        layout: of the messages.
        memory: of client and server before the first round, NumPy arrays.
        encode: (key data, x, client memory, broadcast) -> (Message, client memory,
            estimates before and after it as the client believes them, or none).
        decode: (key data, message, server memory, broadcast) -> (x_hat, server memory).
        told: (round index, turn) -> `Broadcast`, with each option at its turn.
    """

    layout: Layout
    memory: tuple[Any, Any]
    encode: Callable[..., tuple[Message, Any, tuple]]
    decode: Callable[..., tuple[jax.Array, Any]]
    told: Callable[[int, int], Broadcast]


def link_of(compressor: Compressor, size: int) -> Link:
    """Both ends, compiled for one length; the decoder is traced before the encoder.

    Raises:
        AssertionError: see `traced` and `traced_decoder`; or x_hat or what `overload`
            gives is of another shape or dtype than it must be.
    """
    where, layout = f"vectors of length {size}", compressor.layout(size)
    client, server = jax.tree.map(np.asarray, compressor.init(size))
    options = max(1, len(layout.options))
    x, key = np.zeros(size, np.float32), key_data(np.random.default_rng(0))

    def told(k, turn):
        movements = np.full(compressor.history, 0.1, np.float32)
        shared = key_data(np.random.default_rng(k)) if compressor.turns else ()
        choice, place = np.int32(turn % options), np.int32(turn)
        return Broadcast(np.int32(k), movements, choice, place, shared)

    def encode(key, x, memory, broadcast):
        broadcast = keyed(broadcast)
        message, after = compressor.encode(typed(key), x, memory, broadcast)
        if compressor.estimate is None:
            return message, after, ()
        return message, after, tuple(map(compressor.estimate, (memory, after)))

    def decode(key, message, memory, broadcast):
        return compressor.decode(typed(key), message, memory, keyed(broadcast))

    message, broadcast = message_like(layout), told(0, 0)
    decoder = traced_decoder(where, decode, key, message, server, broadcast)
    came, wanted = shapes(decoder.out_info[0]), f"float32[{size}]"
    require("estimate", came == wanted, where, wanted, came)
    encoder = traced(where, encode, key, x, client, broadcast)
    given = callable(compressor.overload)
    must = "(x, client memory, broadcast) -> bool[]"
    require("overload", given, where, must, compressor.overload)
    came = shapes(
        jax.eval_shape(
            lambda *args, told: compressor.overload(*args, keyed(told)),
            *(x, client),
            told=broadcast,
        )
    )
    require("overload", came == "bool[]", where, must, came)
    encoder, decoder = (end.lower().compile() for end in (encoder, decoder))
    return Link(layout, (client, server), encoder, decoder, told)


def keyed(broadcast: Broadcast) -> Broadcast:
    """With the shared key that there is data of, if there is any."""
    if isinstance(broadcast.shared, tuple):
        return broadcast
    return broadcast._replace(shared=typed(broadcast.shared))


def untold(broadcast: Broadcast) -> Broadcast:
    """What the server knows, which is not each client's choice."""
    return broadcast._replace(choice=np.int32(0))
