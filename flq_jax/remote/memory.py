"""What a node remembers between two rounds, and which of it the server knows of.

A client's message may arrive or not, and the client hears which with the next
instruction: until then it has both memories, the one with which it worked and the one to
go on with if the message was counted. Both ends name a memory by the round of the last
message that was counted in it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flq_jax.remote.messages import NEVER


class Memories(NamedTuple):
    """What a client's end of the link and its own work remember, see `State`."""

    link: Any
    local: Any


class ClientMemory(NamedTuple):
    """What one client remembers.

    Attributes:
        counted: the round of the last message that it knows was counted.
        before: as of that message.
        pending: the round of the message of which it does not know yet, `NEVER` if none.
        after: as of that one.
    """

    counted: int
    before: Memories
    pending: int
    after: Memories


class NodeMemory(NamedTuple):
    """What a node remembers.

    Attributes:
        heard: the round of the last broadcast that it understood, or `NEVER`.
        downlink: `origin` and the memory of its end of the downlink, see
            `DownlinkState`, after that broadcast; None before.
        clients: what those for whom it worked remember.
    """

    heard: int = NEVER
    downlink: Any = None
    clients: Mapping[int, ClientMemory] = MappingProxyType({})


class Recalled(NamedTuple):
    """The memories with which a client works, and whether it had to begin anew."""

    memories: Memories
    anew: bool


def recalled(kept: ClientMemory | None, acknowledged: int, first: Memories) -> Recalled:
    """The memories as of the message that the server counted last.

    Where the client has not got them, for it lost them or has been away, it begins with
    those of before its first round, and must say so: the server then forgets what it
    remembers of it. If the server counted nothing yet, both are there already.

    Args:
        kept: what it remembers; None if nothing.
        acknowledged: the round of that message, or `NEVER`.
        first: of before the first round.
    """
    if acknowledged == NEVER:
        return Recalled(first, False)
    if kept is not None and kept.pending == acknowledged:
        return Recalled(kept.after, False)
    if kept is not None and kept.counted == acknowledged:
        return Recalled(kept.before, False)
    return Recalled(first, True)
