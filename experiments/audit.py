"""Sends every message of a run as bytes, and counts them against the ledger.

    python -m experiments.audit --config=configs/mnist_flq_binary.py

The server is fed by what it unpacks; beside it runs one that is fed by the messages
themselves, and both must hold the same model after every round, bit for bit.
"""

import functools
from typing import NamedTuple

import jax
import numpy as np
from absl import app

from experiments import options, validate
from experiments.build import Run, build
from experiments.console import tell
from flq_jax import wire
from flq_jax.data import DataError, load
from flq_jax.federated import State, rounds
from flq_jax.federated.downlink import Downlink, Heard, heard, received
from flq_jax.keys import RoundKeys, round_keys
from flq_jax.quantizers import Message


class Audit(NamedTuple):
    """What was sent.

    Attributes:
        rounds: how many.
        uploads: messages that were not silent.
        ledger_bits: sum of the messages' `num_bits`.
        expected_bytes: sum of `num_bits`, each rounded up to a byte.
        wire_bytes: what the payloads measured.
        broadcast_bytes: what the broadcasts' payloads measured, one a round.
    """

    rounds: int
    uploads: int
    ledger_bits: int
    expected_bytes: int
    wire_bytes: int
    broadcast_bytes: int


def audit(run: Run, num_rounds: int) -> Audit:
    """Runs `num_rounds` rounds through bytes.

    Raises:
        AssertionError: the server that reads bytes left the one that reads messages, a
            client heard another model from bytes, or the bytes are not as many as the
            ledger says.
    """
    up = jax.jit(functools.partial(rounds.uplink, run.federation))
    serve = jax.jit(functools.partial(rounds.serve, run.federation))
    state, num_bits, wire_bytes, broadcast_bytes = run.state, [], 0, 0
    for k in range(num_rounds):
        keys = round_keys(run.root, k)
        broadcast_bytes += broadcast(run, keys, state, k)
        sent = up(keys, state, run.data, np.int32(k))
        messages = sent.heard
        received, length = through_bytes(messages, run.links.uplink)
        received = jax.device_put(received, _places(sent.messages))
        by_bytes = serve(
            keys, state, run.data, np.int32(k), sent._replace(messages=received)
        )
        state = serve(keys, state, run.data, np.int32(k), sent)
        same = jax.tree.map(np.array_equal, by_bytes, state)
        if not all(jax.tree.leaves(same)):
            raise AssertionError(f"round {k}: bytes and messages gave different models")
        num_bits.append(np.asarray(messages.num_bits, np.int64))
        wire_bytes += length
    num_bits = np.concatenate(num_bits)
    expected = int(np.sum(-(-num_bits // 8)))
    if wire_bytes != expected:
        raise AssertionError(f"ledger {expected} bytes, on the wire {wire_bytes}")
    sizes = num_rounds, int(np.count_nonzero(num_bits)), int(num_bits.sum())
    return Audit(*sizes, expected, wire_bytes, broadcast_bytes)


def broadcast(run: Run, keys: RoundKeys, state: State, k: int) -> int:
    """Sends the model of round k through bytes; the length of the payload in bytes."""
    down, layout = run.federation.downlink, run.links.downlink
    sent = _heard(down, jax.random.clone(keys.downlink), state, np.int32(k))
    frame = wire.pack(jax.tree.map(np.asarray, sent.message), layout)
    message = wire.unpack(frame, layout)
    model = _received(down, jax.random.clone(keys.downlink), message, state)
    if not np.array_equal(model, sent.model):
        raise AssertionError("a client heard another model from bytes")
    length, bits = len(frame) - wire.OVERHEAD_BYTES, int(sent.message.num_bits)
    if length != wire.payload_bytes(bits):
        raise AssertionError(f"a broadcast has {bits} bits, on the wire {length} bytes")
    return length


@functools.partial(jax.jit, static_argnums=0)
def _heard(down: Downlink, key: jax.Array, state: State, k: np.int32) -> Heard:
    return heard(down, key, state.params, state.downlink, k)


@functools.partial(jax.jit, static_argnums=0)
def _received(down: Downlink, key: jax.Array, message: Message, state: State):
    return received(down, key, message, state.downlink)[0]


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
    config = options.config()
    with options.one_line_errors(DataError):
        validate.validate(config)
        dataset = load(config.data.name, config.data.dir)
        validate.require_samples(config, len(dataset.train_labels))
    found = audit(build(config, dataset), config.rounds)
    tell(
        f"{found.rounds} rounds, {found.uploads:,} uploads: ledger "
        f"{found.ledger_bits:,} bits, on the wire {found.wire_bytes:,} bytes = the "
        "same, each message rounded up to a byte; broadcasts "
        f"{found.broadcast_bytes:,} bytes; models equal bit for bit"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=options.parse)
