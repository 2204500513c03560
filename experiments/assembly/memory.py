"""The memory that a run takes, known before it starts."""

from collections.abc import Mapping
from typing import NamedTuple

from ml_collections import ConfigDict

from flq_jax.data import partition
from flq_jax.data.dataset import Dataset
from flq_jax.federated import State
from flq_jax.simulation.checkpoints import in_background
from flq_jax.simulation.leaves import nbytes
from flq_jax.simulation.sample import sampled_size

from ..process import room
from ..process.errors import ConfigError
from .build import client, layout

# What of it an option makes, and what takes less.
LESS = {
    "examples": "fewer examples in config.data",
    "clients' links": "fewer config.clients, or a config.uplink that remembers less",
    "server's links": "fewer config.clients, or a config.uplink that remembers less",
    "clients' work": "fewer config.clients, or a config.client that remembers less",
    "model": "a smaller config.model, or a config.server that remembers less",
    "copy for checkpoints": "fewer config.clients, or links that remember less",
}


class Memory(NamedTuple):
    """Bytes on all devices together.

    Attributes:
        parts: what stays for the whole run, name -> bytes.
        work: what a round takes at the least, while one client computes: its model,
            gradient and update.
    """

    parts: Mapping[str, int]
    work: int

    @property
    def total(self) -> int:
        return sum(self.parts.values()) + self.work


def memory(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts, state: State
) -> Memory:
    """What a run takes.

    Args:
        config: of the run, good.
        dataset: what it works on.
        parts: the clients' examples.
        state: its shapes, see `require_fit`.
    """
    update = client(config, dataset)
    lie, tests = layout(config, dataset, update, parts), tuple(dataset[2:4])
    samples = nbytes_of_sample(config, dataset, parts)
    found = {
        "examples": lie.nbytes * lie.copies + nbytes(tests) + samples,
        "clients' links": nbytes(state.client_memory),
        "server's links": nbytes(state.server_memory),
        "clients' work": nbytes(state.local_memory),
        "model": nbytes((state.params, state.opt_state, state.downlink)),
    }
    if in_background(state):
        found["copy for checkpoints"] = nbytes(state)
    floats = (4 if update.own_model else 2) * state.params.size
    return Memory(found, 4 * floats)


def nbytes_of_sample(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts
) -> int:
    """Bytes of the examples that the train loss is of; 0 where those are all."""
    if config.log.train_loss == 1:
        return 0
    few = sampled_size(sum(map(len, parts)), config.log.train_loss)
    return few * nbytes((dataset.train_inputs[0], dataset.train_labels[0]))


def require_room(name: str, found: Memory, there: int | None) -> None:
    """Raises `ConfigError` if a run takes more than there is; of None nothing is known."""
    if there is None or found.total <= there:
        return
    most = max(found.parts, key=lambda part: found.parts[part])
    raise ConfigError(
        f"{name or 'the run'} takes {room.text(found.total)} of memory, and "
        f"{room.text(there)} is left: {most} take {room.text(found.parts[most])}; "
        f"{LESS[most]} takes less"
    )


def lines(found: Memory, there: int | None) -> list[str]:
    """What it takes, a line a part."""
    told = {**found.parts, "a round's work, at least": found.work}
    told |= {"in all, but activations": found.total}
    return [
        "memory of a run",
        *(f"  {part:26}{room.text(size):>9}" for part, size in told.items() if size),
        *([] if there is None else [f"  {'left':26}{room.text(there):>9}"]),
    ]
