"""Messages as the bytes that cross: the payload that `wire` frames."""

import jax
import jax.numpy as jnp
from jax import lax

from flq_jax import bitstream
from flq_jax.quantizers import Layout, Message


def packed(message: Message, layout: Layout) -> jax.Array:
    """The payload of a message, u8[ceil(bits / 8)], as `wire` has it."""
    sides = lax.bitcast_convert_type(message.side, jnp.uint8).reshape(-1)
    return jnp.concatenate([sides, bitstream.pack(message.codes, layout.runs)])


def unpacked(payload: jax.Array, layout: Layout) -> Message:
    """The message that `packed` was given."""
    sides, stream = jnp.split(payload, [4 * layout.num_sides])
    codes = bitstream.unpack(stream, layout.runs).astype(layout.code_dtype)
    sides = lax.bitcast_convert_type(sides.reshape(-1, 4), jnp.float32)
    return Message(codes, sides, jnp.int32(layout.length))
