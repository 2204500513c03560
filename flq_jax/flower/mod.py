"""Compression for a Flower app that there is: a mod for its clients, a grid for its server.

A ClientApp takes `compressing` among its mods, and the ServerApp's strategy is given
`restoring(grid, ...)`. Of a reply's arrays the difference to those that were sent travels,
as one frame; the app and the strategy see arrays as before.
"""

import hashlib
import logging
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.serverapp import Grid

from flq_jax import keys, wire
from flq_jax.compressors import Compressor
from flq_jax.flower.nodes import POLL_S
from flq_jax.flower.records import arrays, frame, framed

_FRAME, _MEMORY, _RECORD = "flq.frame", "flq.memory", "record"


def compressing(compressor: Compressor, seed: int = 0) -> Mod:
    """A mod that sends x = (a reply's arrays) - (the message's arrays), compressed.

    It does so if reply and message have one `ArrayRecord` of the same name, f32 arrays of
    the same names and shapes, which are one vector here; other replies travel as they
    are. What the compressor remembers lies in `context.state`.

    Args:
        compressor: one whose server remembers nothing, such as `direct(...)` or
            `error_feedback(...)`, for a reply may be lost; ValueError otherwise.
        seed: of its random streams, the server's too.
    """
    _require_forgetful(compressor)

    def mod(message: Message, context: Context, app: ClientAppCallable) -> Message:
        told = _flat(message.content)
        reply = app(message, context)
        found = _flat(reply.content) if reply.has_content() else None
        if told is None or found is None or told[:2] != found[:2]:
            return reply
        x = jnp.asarray(found.vector - told.vector)
        memory = _remembered(compressor, x.size, context.state)
        key = _key(seed, message.metadata.message_id)
        said, memory = jax.jit(compressor.encode)(key, x, memory)
        leaves = jax.tree.leaves(memory)
        if leaves:
            context.state[_MEMORY] = arrays(leaves)
        packed = wire.pack(said, compressor.layout(x.size))
        del reply.content[found.name]
        for name, record in framed({_RECORD: found.name}, {_FRAME: packed}).items():
            reply.content[name] = record
        return reply

    return mod


def restoring(grid: Grid, compressor: Compressor, seed: int = 0) -> Grid:
    """The grid, whose replies have arrays again; for `strategy.start(grid=...)`.

    A reply whose frame is damaged, or of another layout, is told and left out, as if it
    had not come.

    Args:
        grid: Flower's.
        compressor, seed: see `compressing`.
    """
    _require_forgetful(compressor)
    return _Restoring(grid, compressor, seed)


class _Restoring(Grid):
    """See `restoring`; what it does not restore is the other grid's to do."""

    def __init__(self, grid: Grid, compressor: Compressor, seed: int):
        self._grid, self._compressor, self._seed = grid, compressor, seed
        self._told: dict[str, _Flat | None] = {}

    def set_run(self, run: Any) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> Any:
        return self._grid.run

    def create_message(self, *args: Any, **fields: Any) -> Message:
        return self._grid.create_message(*args, **fields)

    def get_node_ids(self) -> Iterable[int]:
        return self._grid.get_node_ids()

    def get_nodes(self) -> Any:
        return self._grid.get_nodes()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        told = [_flat(message.content) for message in messages]
        numbers = list(self._grid.push_messages(messages))
        self._told |= dict(zip(numbers, told))
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        found = []
        for reply in self._grid.pull_messages(message_ids):
            number = reply.metadata.reply_to_message_id
            told = self._told.pop(number, None)
            try:
                if reply.has_content():
                    self._restore(reply.content, told, number)
                found.append(reply)
            except wire.WireError as error:
                node = reply.metadata.src_node_id
                logging.getLogger(__name__).warning("node %s: %s", node, error)
        return found

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        end = None if timeout is None else time.monotonic() + timeout
        wanted = {number for number in self.push_messages(messages) if number}
        found: list[Message] = []
        while wanted:
            found += self.pull_messages(wanted)
            wanted &= {*self._told}
            if end is not None and time.monotonic() > end:
                break
            time.sleep(POLL_S if wanted else 0)
        return found

    def _restore(self, content: RecordDict, told: "_Flat | None", number: str) -> None:
        """Puts arrays in the place of a frame, if there is one; `WireError` if not."""
        name = next(
            (n for n, r in content.config_records.items() if _RECORD in r), None
        )
        if name is None:
            return
        layout = None if told is None else self._compressor.layout(told.vector.size)
        if told is None or layout is None:
            raise wire.WireError("flower: a frame must answer arrays, got none sent")
        message = wire.unpack(frame(content, _FRAME), layout)
        _, nothing = self._compressor.init(told.vector.size)
        decode = jax.jit(self._compressor.decode)
        x_hat, _ = decode(_key(self._seed, number), message, nothing)
        for record in list(content):
            if record.startswith("flq"):
                del content[record]
        content[told.name] = _shaped(told, told.vector + np.asarray(x_hat))


class _Flat(NamedTuple):
    """The arrays of a record, one after another."""

    name: str
    shapes: dict[str, tuple[int, ...]]
    vector: np.ndarray


def _flat(content: RecordDict) -> _Flat | None:
    """The one record of arrays, if it is of f32 alone."""
    if len(content.array_records) != 1:
        return None
    ((name, record),) = content.array_records.items()
    found = {k: v.numpy() for k, v in record.items() if v.stype == "numpy.ndarray"}
    if len(found) < len(record) or any(x.dtype != np.float32 for x in found.values()):
        return None
    vector = np.concatenate([np.zeros(0, np.float32), *map(np.ravel, found.values())])
    return _Flat(name, {k: x.shape for k, x in found.items()}, vector)


def _shaped(like: _Flat, vector: np.ndarray) -> ArrayRecord:
    sizes = [int(np.prod(shape)) for shape in like.shapes.values()]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    named = zip(like.shapes.items(), parts, strict=True)
    return ArrayRecord({k: Array(part.reshape(shape)) for (k, shape), part in named})


def _remembered(compressor: Compressor, d: int, state: RecordDict) -> Any:
    first, _ = compressor.init(d)
    leaves, tree = jax.tree.flatten(first)
    if _MEMORY not in state.array_records:
        return first
    found = state.array_records[_MEMORY].to_numpy_ndarrays()
    if [x.shape for x in found] != [jnp.shape(x) for x in leaves]:
        return first  # of another model
    return tree.unflatten(map(jnp.asarray, found))


def _key(seed: int, number: str) -> jax.Array:
    """The key of the reply to a message, which both ends know by its number."""
    digest = hashlib.sha256(number.encode()).digest()
    return jax.random.fold_in(keys.seed_key(seed), int.from_bytes(digest[:4], "little"))


def _require_forgetful(compressor: Compressor) -> None:
    """Raises ValueError if the server remembers what a lost reply would set apart."""
    _, server = compressor.init(1)
    told = compressor.history or compressor.scheduled or compressor.turns
    if jax.tree.leaves(server) or told:
        raise ValueError(
            "compressor: must be one whose server remembers nothing and which needs no "
            "broadcast and no turn, such as direct(...) or error_feedback(...)"
        )
