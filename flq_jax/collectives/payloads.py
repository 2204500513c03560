"""Messages as the bytes that cross: the payload that `wire` frames, in rows.

In rows of a TPU's 128 lanes, the last filled up with zeros: XLA keeps the all-gather of
such as it is, where that of as many bytes in one row becomes an all-reduce of all
replicas' bytes, each of which then crosses about twice.
"""

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax import bitstream
from flq_jax.quantizers import Layout, Message

ROW = 128


def packed(message: Message, layout: Layout) -> jax.Array:
    """The payload of a message, u8[rows, ROW], of which ceil(bits / 8) are as `wire` has it."""
    sides = lax.bitcast_convert_type(message.side, jnp.uint8).reshape(-1)
    payload = jnp.concatenate([sides, bitstream.pack(message.codes, layout.runs)])
    return jnp.pad(payload, (0, -payload.size % ROW)).reshape(-1, ROW)


def unpacked(payload: jax.Array, layout: Layout) -> Message:
    """The message that `packed` was given."""
    first = 4 * layout.num_sides
    last = first + bitstream.num_bytes(layout.runs)
    sides, stream, _ = jnp.split(payload.reshape(-1), [first, last])
    codes = bitstream.unpack(stream, layout.runs).astype(layout.code_dtype)
    sides = lax.bitcast_convert_type(sides.reshape(-1, 4), jnp.float32)
    return Message(codes, sides, jnp.int32(layout.length))
