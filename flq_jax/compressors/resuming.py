"""A link that designs its next message from where the last one ended."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import NO_BROADCAST, Compressor, around
from flq_jax.quantizers import Message


class ResumingMemory(NamedTuple):
    """What a client that resumes remembers.

    Attributes:
        inner: the client memory of the link.
        state: what its last message left behind.
    """

    inner: Any
    state: Any


def resuming(
    link: Callable[[Any], Compressor], recall: Callable[[Message], Any], start: Any
) -> Compressor:
    """A link whose encoder begins with what its last message left behind.

        message = encode of link(s),   s <- recall(message),   from s = start.

    Silence leaves s as it is. Whoever decodes needs no s. Lloyd-Max levels that are
    designed from the last round's, as an example:

        resuming(lambda s: innovation(lloyd_max(4, start=s)), levels_of, jnp.zeros(4)).

    Args:
        link: s -> a `Compressor`, else TypeError; all alike but for how they encode.
        recall: message -> s.
        start: s before the first message, arrays.
    """
    first = link(start)
    if not isinstance(first, Compressor):
        raise TypeError(
            f"resuming: link must give a compressor, got a {type(first).__name__}"
        )

    def init(d):
        client, server = first.init(d)
        return ResumingMemory(client, start), server

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        message, inner = link(memory.state).encode(key, x, memory.inner, broadcast)
        sent = message.num_bits > 0
        state = jax.tree.map(
            lambda new, old: jnp.where(sent, new, old), recall(message), memory.state
        )
        return message, ResumingMemory(inner, state)

    def overload(x, memory, broadcast=NO_BROADCAST):
        return link(memory.state).overload(x, memory.inner, broadcast)

    return around(first, init, encode, overload)
