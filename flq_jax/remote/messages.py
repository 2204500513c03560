"""What a server tells those who work for its clients, and what they answer."""

import hashlib
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NEVER = -1  # in the place of a round: before the first one


class Instruction(NamedTuple):
    """What a node hears in a round, of all clients that it works for.

    Attributes:
        round_index: k, counted from 0.
        frame: the broadcast, see `wire`.
        since: the round whose broadcast must have been heard for this one to be
            understood; `NEVER` where any can be.
        movements: f32[h], see `Broadcast`, little-endian.
        clients: whom the network asks of those that the node works for.
        acknowledged: of each the round of its last message that the server counted,
            `NEVER` if it counted none.
        turns: of each its place among all whom the network asks in this round.
        reference: for a node that has not heard the broadcast of `since`: what both ends
            of the downlink remember, `DownlinkState.origin` and the leaves of `clients`;
            empty for the others.
    """

    round_index: int
    frame: bytes
    since: int
    movements: bytes
    clients: tuple[int, ...]
    acknowledged: tuple[int, ...]
    turns: tuple[int, ...]
    reference: Sequence[np.ndarray] = ()

    @property
    def digest(self) -> str:
        """What an answer must name to be one to this broadcast, 16 hexadecimal digits."""
        head = struct.pack("<qq", self.round_index, self.since)
        return hashlib.sha256(head + self.movements + self.frame).hexdigest()[:16]


class Reply(NamedTuple):
    """What a client says in a round.

    Attributes:
        client: its number.
        frame: its message; empty if it has nothing to say.
        loss, finite, overload, news: see `Said`.
        anew: whether it had not what it was to remember, and began as before its first
            round.
    """

    client: int
    frame: bytes
    loss: float
    finite: bool
    overload: bool
    news: float
    anew: bool


class Answer(NamedTuple):
    """What a node answers.

    Attributes:
        round_index: of the instruction.
        digest: likewise.
        behind: whether it could not understand the broadcast; then nobody worked.
        replies: of the clients that were asked.
    """

    round_index: int
    digest: str
    behind: bool
    replies: tuple[Reply, ...]
