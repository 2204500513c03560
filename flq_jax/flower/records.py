"""Frames and what belongs to them as Flower's records, and back.

A message has one `ConfigRecord`, FLQ, with its frames as bytes: a record is one object on
Flower's wire, which costs some 350 bytes, and so would each layer. Frames of more than
`LARGE` bytes are arrays with a serialiser name of their own, FRAMES, for Flower cuts
arrays into pieces and records not. Silence is a reply without a frame.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from flq_jax.remote import Answer, Instruction, Reply
from flq_jax.wire import WireError

FLQ, FRAMES, REFERENCE = "flq", "flq.frames", "flq.reference"
SERIALISER = "flq.frame"  # in the place of "numpy.ndarray"
LARGE = 4 * 2**20


class Greeting(NamedTuple):
    """What a node says of itself.

    Attributes:
        identity: what names its run.
        sizes: client that it works for -> how many examples that one has.
    """

    identity: str
    sizes: dict[int, int]


def framed(fields: dict[str, Any], frames: Mapping[str, bytes]) -> RecordDict:
    """A message's content: fields and named frames, of which empty ones are left out."""
    small = {name: frame for name, frame in frames.items() if 0 < len(frame) <= LARGE}
    large = {name: frame for name, frame in frames.items() if len(frame) > LARGE}
    content = RecordDict({FLQ: ConfigRecord({**fields, **small})})
    if large:
        content[FRAMES] = ArrayRecord(
            {
                name: Array("uint8", (len(frame),), SERIALISER, frame)
                for name, frame in large.items()
            }
        )
    return content


def frame(content: RecordDict, name: str) -> bytes:
    """A frame of a message's content; empty if there is none of that name."""
    found = _record(content).get(name)
    if found is None and FRAMES in content.array_records:
        array = content.array_records[FRAMES].get(name)
        found = array.data if array is not None and array.stype == SERIALISER else None
    if found is None:
        return b""
    if not isinstance(found, bytes):
        raise WireError(f"flower: {name} must be bytes, got a {type(found).__name__}")
    return found


def told(instruction: Instruction) -> RecordDict:
    """An instruction as a message's content."""
    fields = {
        "round": instruction.round_index,
        "since": instruction.since,
        "clients": list(instruction.clients),
        "acknowledged": list(instruction.acknowledged),
        "turns": list(instruction.turns),
    }
    frames = {"frame": instruction.frame, "movements": instruction.movements}
    content = framed(fields, frames)
    if instruction.reference:
        content[REFERENCE] = arrays(instruction.reference)
    return content


def heard(content: RecordDict) -> Instruction:
    """The instruction in a message's content; `WireError` if there is none."""
    reference: Sequence[np.ndarray] = ()
    if REFERENCE in content.array_records:
        reference = tuple(content.array_records[REFERENCE].to_numpy_ndarrays())
    return Instruction(
        round_index=_field(content, "round", int),
        frame=frame(content, "frame"),
        since=_field(content, "since", int),
        movements=frame(content, "movements"),
        clients=tuple(_fields(content, "clients", int)),
        acknowledged=tuple(_fields(content, "acknowledged", int)),
        turns=tuple(_fields(content, "turns", int)),
        reference=reference,
    )


def said(answer: Answer) -> RecordDict:
    """An answer as a message's content: figures beside the frames, of all clients."""
    fields: dict[str, Any] = {
        "round": answer.round_index,
        "digest": answer.digest,
        "behind": answer.behind,
    }
    replies = answer.replies
    if replies:
        fields |= {
            "clients": [reply.client for reply in replies],
            "loss": [reply.loss for reply in replies],
            "finite": [reply.finite for reply in replies],
            "overload": [reply.overload for reply in replies],
            "news": [reply.news for reply in replies],
            "anew": [reply.anew for reply in replies],
        }
    return framed(fields, {f"frame.{reply.client}": reply.frame for reply in replies})


def answered(content: RecordDict) -> Answer:
    """The answer in a message's content, which may be anybody's; or `WireError`."""
    clients = _fields(content, "clients", int)
    columns = [
        _fields(content, name, kind)
        for name, kind in {
            "loss": float,
            "finite": bool,
            "overload": bool,
            "news": float,
            "anew": bool,
        }.items()
    ]
    if any(len(column) != len(clients) for column in columns):
        raise WireError("flower: figures must be as many as the clients, got others")
    replies = [
        Reply(m, frame(content, f"frame.{m}"), *figures)
        for m, *figures in zip(clients, *columns, strict=True)
    ]
    return Answer(
        round_index=_field(content, "round", int),
        digest=_field(content, "digest", str),
        behind=_field(content, "behind", bool),
        replies=tuple(replies),
    )


def hello(identity: str, sizes: Mapping[int, int]) -> RecordDict:
    """What a node says of itself, see `Greeting`."""
    fields: dict[str, Any] = {
        "identity": identity,
        "clients": list(sizes),
        "sizes": list(sizes.values()),
    }
    return framed(fields, {})


def greeted(content: RecordDict) -> Greeting:
    """The same, in a message's content, which may be anybody's; or `WireError`."""
    clients, sizes = _fields(content, "clients", int), _fields(content, "sizes", int)
    if len(clients) != len(sizes):
        raise WireError(
            f"flower: sizes must be as many as the clients, {len(clients)}, "
            f"got {len(sizes)}"
        )
    return Greeting(_field(content, "identity", str), dict(zip(clients, sizes)))


def arrays(leaves: Sequence[Any]) -> ArrayRecord:
    """Arrays in their order, in NumPy's form."""
    return ArrayRecord([np.asarray(leaf) for leaf in leaves])


def _record(content: RecordDict) -> ConfigRecord:
    if FLQ not in content.config_records:
        raise WireError(
            f"flower: a message must have the record {FLQ}, got {[*content]}"
        )
    return content.config_records[FLQ]


def _field(content: RecordDict, name: str, kind: type) -> Any:
    value = _record(content).get(name)
    if type(value) is not kind:
        raise WireError(
            f"flower: {name} must be of type {kind.__name__}, got {value!r:.40}"
        )
    return value


def _fields(content: RecordDict, name: str, kind: type) -> list:
    values = _record(content).get(name, [])
    if not isinstance(values, list) or any(type(x) is not kind for x in values):
        raise WireError(
            f"flower: {name} must be a list of {kind.__name__}, got {values!r:.40}"
        )
    return values
