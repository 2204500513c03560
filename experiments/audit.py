"""Sends every message of a run as bytes, and holds the run's ledger against them.

    python -m experiments.audit --config=configs/mnist_flq_binary.py

The server is fed by what it unpacks; beside it runs one that is fed by the messages
themselves, and both must hold the same model after every round, bit for bit.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np
from absl import app, logging

from flq_jax import wire
from flq_jax.compressors.base import silence
from flq_jax.data import DataError
from flq_jax.federated import State, rounds
from flq_jax.federated.downlink import Downlink, Heard, heard, received
from flq_jax.keys import RoundKeys, round_keys
from flq_jax.ledger import Ledger, downlink_bits, uplink_bits
from flq_jax.quantizers import Message
from flq_jax.simulation.progress import Progress, counted

from .assembly.build import Run, build, split
from .assembly.check import require_fit
from .assembly.setting import dataset_of
from .options import command_line, validation
from .process import surroundings
from .process.console import tell
from .process.errors import one_line_errors


class Audit(NamedTuple):
    """What was sent.

    Attributes:
        ledger: what the run's own count says, the lost messages too.
        wire_bytes: what the messages' payloads measured.
        broadcast_bytes: what the broadcasts' payloads measured, one a round.
    """

    ledger: Ledger
    wire_bytes: int
    broadcast_bytes: int


def audit(run: Run, num_rounds: int) -> Audit:
    """Runs `num_rounds` rounds through bytes.

    Raises:
        AssertionError: the server that reads bytes left the one that reads messages, a
            client heard another model from bytes, or the bytes are not as many as the
            run's ledger says, each message rounded up to a byte.
    """
    up = jax.jit(functools.partial(rounds.uplink, run.federation))
    serve = jax.jit(functools.partial(rounds.serve, run.federation))
    progress, wire_bytes, broadcast_bytes = Progress(0, run.state), 0, 0
    for k in range(num_rounds):
        keys, state = round_keys(run.root, k), progress.state
        broadcast_bytes += broadcast(run, keys, state, k)
        sent = up(keys, state, run.data, np.int32(k))
        messages = jax.vmap(silence)(sent.messages, sent.num_bits > 0)
        received, length = through_bytes(messages, run.links.uplink)
        received = jax.device_put(received, _places(sent.messages))
        by_bytes = serve(
            keys, state, run.data, np.int32(k), sent._replace(messages=received)
        )
        state = serve(keys, state, run.data, np.int32(k), sent)
        same = jax.tree.map(np.array_equal, by_bytes, state)
        if not all(jax.tree.leaves(same)):
            raise AssertionError(f"round {k}: bytes and messages gave different models")
        reported = rounds.metrics(sent, run.data.sizes.shape[0])
        reported = jax.tree.map(lambda leaf: np.asarray(leaf)[None], reported)
        progress = counted(progress, run.links, reported, 1)._replace(state=state)
        wire_bytes += length
    ledger = progress.ledger
    _require("messages", ledger.lengths, wire_bytes)
    _require("broadcasts", ledger.broadcasts, broadcast_bytes)
    return Audit(ledger, wire_bytes, broadcast_bytes)


def _require(what: str, lines: Iterable[tuple[int, ...]], measured: int) -> None:
    """Raises AssertionError unless the ledger's lines come to so many bytes."""
    expected = sum(wire.payload_bytes(bits) * times for bits, times, *_ in lines)
    if measured != expected:
        raise AssertionError(f"{what}: ledger {expected} bytes, on the wire {measured}")


def broadcast(run: Run, keys: RoundKeys, state: State, k: int) -> int:
    """Sends the model of round k through bytes; the length of the payload in bytes."""
    down, layout = run.federation.downlink, run.links.downlink
    sent = _heard(down, jax.tree.map(jax.random.clone, keys), state, np.int32(k))
    frame = wire.pack(jax.tree.map(np.asarray, sent.message), layout)
    message = wire.unpack(frame, layout)
    model = _received(down, jax.tree.map(jax.random.clone, keys), message, state)
    if not np.array_equal(model, sent.model):
        raise AssertionError("a client heard another model from bytes")
    return len(frame) - wire.OVERHEAD_BYTES


@functools.partial(jax.jit, static_argnums=0)
def _heard(down: Downlink, keys: RoundKeys, state: State, k: np.int32) -> Heard:
    return heard(down, keys, state.params, state.downlink, k)


@functools.partial(jax.jit, static_argnums=0)
def _received(down: Downlink, keys: RoundKeys, message: Message, state: State):
    return received(down, keys, message, state.downlink)[0]


def through_bytes(messages: Message, layout) -> tuple[Message, int]:
    """A round's messages after packing and unpacking, and their payloads' bytes."""
    messages = jax.tree.map(np.asarray, messages)
    clients = len(messages.num_bits)
    frames = [
        wire.pack(jax.tree.map(lambda leaf, m=m: leaf[m], messages), layout)
        for m in range(clients)
    ]
    received = [wire.unpack(frame, layout) for frame in frames]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *received)
    return stacked, sum(len(frame) - wire.OVERHEAD_BYTES for frame in frames)


def _places(tree):
    """The shardings of a pytree's arrays: arrays laid alike need no other program."""
    return jax.tree.map(lambda leaf: leaf.sharding, tree)


def main(argv: list[str]) -> None:
    """Audits the config of the command line."""
    del argv
    logging.set_verbosity(logging.WARNING)
    with one_line_errors(DataError):
        config = command_line.one()
        validation.validate(config)
        surroundings.pin()
        surroundings.require_devices()
        dataset = dataset_of(config)
        require_fit(config, dataset, map(len, split(config, dataset)))
        run = build(config, dataset)
    found = audit(run, config.rounds)
    up = uplink_bits(found.ledger, run.links, "payload", 32)
    down = downlink_bits(found.ledger, run.links, "payload", "broadcast_once", 32)
    beside = run.links.threshold_bits * config.rounds
    tell(
        f"{config.rounds} rounds, {found.ledger.uploads:,} uploads: ledger {up:,} bits, "
        f"on the wire {found.wire_bytes:,} bytes = the same, each message rounded up to "
        f"a byte; broadcasts {down:,} bits, on the wire {found.broadcast_bytes:,} bytes"
        + f" and {beside:,} bits of thresholds" * bool(beside)
        + "; models equal bit for bit"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse)
