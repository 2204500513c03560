"""A simulation in a folder, and out of it."""

import functools
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from flq_jax.compressors import Compressor
from flq_jax.data.dataset import digest
from flq_jax.federated import State
from flq_jax.federated.mirrored import as_kept, both_ends
from flq_jax.ledger import Links
from flq_jax.simulation.checkpoints import Checkpoints, NotThisRuns
from flq_jax.simulation.examples import Examples
from flq_jax.simulation.progress import Progress, from_note, noted


def store_in(folder: str | os.PathLike) -> Checkpoints:
    """The checkpoints in the folder's `checkpoints`; broken ones are warned of."""
    tell = functools.partial(warnings.warn, stacklevel=4)
    return Checkpoints(pathlib.Path(folder) / "checkpoints", tell)


def identity(
    seed: int, given: Examples, params: Any, links: Links, train_loss: float
) -> dict[str, Any]:
    """What tells a simulation from another, as JSON has it; functions can't be told."""
    return {
        "seed": seed,
        "uplink": links.uplink.scheme,
        "downlink": links.downlink.scheme,
        "data_sha256": given.sha256,
        "params_sha256": digest(map(np.asarray, jax.tree.leaves(params))),
        "train_loss": train_loss,
    }


def leave(
    store: Checkpoints, progress: Progress, rows: list, of: Mapping[str, Any]
) -> None:
    """Saves where a simulation stands, in the background.

    Args:
        store: where.
        progress: what is saved.
        rows: its lines of figures.
        of: its `identity`.
    """
    kept = {"progress": noted(progress), "rows": rows, "of": dict(of)}
    store.save(progress.rounds, progress.state, kept)


def restored(
    store: Checkpoints, compressor: Compressor, like: State
) -> tuple[int, State, dict[str, Any]] | None:
    """The newest checkpoint that is whole, see `Checkpoints.restore`.

    Versions up to 0.1.0 kept at both ends what both remember, see `mirrored`. Theirs are
    read, too, and the clients' copy is left out.

    Args:
        store: where they lie.
        compressor: the uplink.
        like: a state of the same shapes, on the devices where it shall lie.

    Raises:
        NotThisRuns: see there.
    """
    try:
        return store.restore(like)
    except NotThisRuns as other:
        try:
            found = store.restore(both_ends(compressor, like))
        except NotThisRuns:
            raise other from None
    if found is None:
        return None
    rounds, state, note = found
    memory = as_kept(like.client_memory, state.client_memory)
    return rounds, state._replace(client_memory=memory), note


def newest(
    store: Checkpoints, compressor: Compressor, like: State, of: Mapping[str, Any]
) -> tuple[Progress, list] | None:
    """(progress, rows) as last saved, or None; ValueError if another simulation's."""
    found = restored(store, compressor, like)
    store.close()
    if found is None:
        return None
    _, state, kept = found
    there = {"train_loss": 1.0} | kept.get("of", {})  # the first ones knew that alone
    if differ := [name for name in of if there.get(name) != of[name]]:
        name = differ[0]
        raise ValueError(
            f"Simulation: the folder must be of {name} {of[name]}, got {there.get(name)}"
        )
    return from_note(kept["progress"], state), list(kept["rows"])
