"""The model of a deployment beside that of the simulation in which the same happened."""

import pathlib
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from flq_jax.federated import State, round_step
from flq_jax.remote import Happened, elsewhere, replaying, silenced
from flq_jax.simulation.checkpoints import Checkpoints

from ..assembly.build import Run
from ..folder.checkpoints import restored
from ..process import console
from ..process.errors import ConfigError
from . import history


class Comparison(NamedTuple):
    """How far the deployed model is from simulated ones: the largest difference.

    Attributes:
        rounds: how many there were.
        by_client: from the simulation that works client by client, as nodes do.
        together: from the one of `flq run`; None if a client began anew.
    """

    rounds: int
    by_client: float
    together: float | None


def compared(run: Run, folder: pathlib.Path) -> Comparison:
    """Simulates what the folder's history says, and compares the models.

    Args:
        run: the folder's, as built for a simulation.
        folder: with checkpoints of its deployment.
    """
    there = deployed(run, folder)
    happened = history.happened(history.lines(folder))
    if there[0] != len(happened):
        raise ConfigError(
            f"{folder}: its checkpoint must be of round {len(happened)}, as "
            f"{history.NAME} is, got {there[0]}: nothing is compared"
        )
    params = np.asarray(there[1].params)

    def apart(state: State) -> float:
        return float(np.max(np.abs(np.asarray(state.params) - params), initial=0.0))

    together = None
    if not any(each.anew for each in happened):
        together = apart(simulated(run, happened))
    return Comparison(there[0], apart(by_client(run, happened)), together)


def deployed(run: Run, folder: pathlib.Path) -> tuple[int, State]:
    """(finished rounds, the server's state) of the folder's last checkpoint."""
    like = elsewhere(run.state, len(run.partition.sizes))
    checkpoints = Checkpoints(folder / "checkpoints", console.tell, reading=True)
    found = restored(checkpoints, run.federation.compressor, like)
    checkpoints.close()
    return (0, like) if found is None else (found[0], found[1])


def by_client(run: Run, happened: list[Happened]) -> State:
    """The state after these rounds, simulated as nodes compute: a client at a time."""
    state = jax.tree.map(np.asarray, run.state)
    step = replaying(run.federation, run.root, run.data, state)
    for k, each in enumerate(happened):
        state = step(state, k, each)
    return state


def simulated(run: Run, happened: list[Happened]) -> State:
    """The same as `flq run` simulates it, with the same clients silent."""
    network = run.federation.network
    clients = len(run.partition.sizes)
    if happened:
        network = silenced(network, happened, clients)
    federation = run.federation._replace(network=network)
    step = jax.jit(partial(round_step, federation))
    state = run.state
    for k in range(len(happened)):
        state, _ = step(run.root, run.data, state, np.int32(k))
    return state
