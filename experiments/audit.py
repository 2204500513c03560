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
from flq_jax.federated import rounds
from flq_jax.keys import round_keys
from flq_jax.quantizers import Message


class Audit(NamedTuple):
    """What was sent.

    Attributes:
        rounds: how many.
        uploads: messages that were not silent.
        ledger_bits: sum of the messages' `num_bits`.
        expected_bytes: sum of `num_bits`, each rounded up to a byte.
        wire_bytes: what the payloads measured.
    """

    rounds: int
    uploads: int
    ledger_bits: int
    expected_bytes: int
    wire_bytes: int


def audit(run: Run, num_rounds: int) -> Audit:
    """Runs `num_rounds` rounds through bytes.

    Raises:
        AssertionError: the server that reads bytes left the one that reads messages, or
            the bytes are not as many as the ledger says.
    """
    up = jax.jit(functools.partial(rounds.uplink, run.federation))
    serve = jax.jit(functools.partial(rounds.serve, run.federation))
    state, num_bits, wire_bytes = run.state, [], 0
    for k in range(num_rounds):
        keys = round_keys(run.root, k)
        sent = up(keys, state, run.data, np.int32(k))
        received, length = through_bytes(sent.messages, run.links.uplink)
        by_bytes = serve(
            keys, state, run.data, np.int32(k), sent._replace(messages=received)
        )
        state = serve(keys, state, run.data, np.int32(k), sent)
        same = jax.tree.map(np.array_equal, by_bytes, state)
        if not all(jax.tree.leaves(same)):
            raise AssertionError(f"round {k}: bytes and messages gave different models")
        num_bits.append(np.asarray(sent.messages.num_bits, np.int64))
        wire_bytes += length
    num_bits = np.concatenate(num_bits)
    expected = int(np.sum(-(-num_bits // 8)))
    if wire_bytes != expected:
        raise AssertionError(f"ledger {expected} bytes, on the wire {wire_bytes}")
    sizes = num_rounds, int(np.count_nonzero(num_bits)), int(num_bits.sum())
    return Audit(*sizes, expected, wire_bytes)


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
        "same, each message rounded up to a byte; models equal bit for bit"
    )


if __name__ == "__main__":
    app.run(main, flags_parser=options.parse)
