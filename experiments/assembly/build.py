"""From a config to the objects of a run."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from ml_collections import ConfigDict

from flq_jax import federated, keys
from flq_jax.data import clients, partition
from flq_jax.data.dataset import Dataset
from flq_jax.data.flat import Shards
from flq_jax.federated import Federation, LocalUpdate, State
from flq_jax.ledger import Links
from flq_jax.simulation import start
from flq_jax.simulation.sample import sampled
from flq_jax.tasks import Task
from flq_jax.wireless.cell import Cell

from ..options.parts import trees
from ..process.errors import ConfigError
from .composition import asks, composed, made
from .programs import Arrays, Parts, assembled
from .setting import Setting, cell_of, initial, known, setting


class Run(NamedTuple):
    """A run, ready to start.

    Attributes:
        federation: what its rounds are made of.
        task: what it is to learn.
        assemble: arrays -> `Parts`, where they are traced; the two above are made so.
        numbers: what the programs may take as arguments, name -> value.
        root: its key.
        mesh: the devices that the clients are spread over.
        data: the clients' examples, on their devices.
        sample: those of them that the train loss is of; None: all, see `sampled`.
        cell: where the clients are and what they have, or None without a cell.
        state: before the first round, on the clients' devices.
        links: the layouts of its messages.
        test: (inputs [n, ...], targets [n, ...]).
        partition: sizes, label histogram and hash of the clients' shares.
    """

    federation: Federation
    task: Task
    assemble: Callable[[Arrays], Parts]
    numbers: dict[str, float]
    root: jax.Array
    mesh: Mesh
    data: Shards
    sample: clients.ClientData | None
    cell: Cell | None
    state: State
    links: Links
    test: tuple[jax.Array, jax.Array]
    partition: partition.Summary


class Ingredients(NamedTuple):
    """What a run is made of, without its examples on devices and its state.

    Attributes:
        federation, task, assemble, numbers, root, cell: see `Run`.
        setting: with the shares and the devices of this run.
    """

    federation: Federation
    task: Task
    assemble: Callable[[Arrays], Parts]
    numbers: dict[str, float]
    root: jax.Array
    cell: Cell | None
    setting: Setting


def ingredients(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts
) -> Ingredients:
    """What a config names, which `check` has found good, made for its `split`."""
    root, sizes = keys.seed_key(config.seed), [len(part) for part in parts]
    update, found = client(config, dataset), setting(config, dataset)
    mesh = federated.suited_mesh(update, found.shapes, config.clients)
    found = found._replace(mesh=mesh, shares=tuple(sizes))
    cell, composition = cell_of(config, root), composed(config)
    assemble = partial(assembled, found, composition.parts)
    none_yet = clients.ClientData(None, None, jnp.asarray(sizes, jnp.int32))
    federation, task, _ = assemble(Arrays(root, none_yet, cell, composition.numbers))
    numbers = composition.numbers
    return Ingredients(federation, task, assemble, numbers, root, cell, found)


def build(config: ConfigDict, dataset: Dataset, like: Run | None = None) -> Run:
    """Makes the objects that a config names, which `check` has found good.

    Args:
        config: of the run.
        dataset: what `config.data` makes.
        like: another run on it, whose arrays of examples are used where they are the same.
    """
    parts = split(config, dataset)
    made = ingredients(config, dataset, parts)
    federation, root, mesh = made.federation, made.root, made.setting.mesh
    shares = partition.summary(parts, dataset.train_labels)
    if like and like.partition.digest == shares.digest:
        data = like.data
    else:
        update, everyone = federation.local_update, federation.network.everyone
        data = examples(update, dataset, parts, mesh, everyone)
    few = sampled(*dataset[:2], parts, config.log.train_loss, config.seed)
    first = initial(made.setting)
    state = start.initial_state(federation, first, root, config.clients, mesh)
    return Run(
        federation,
        made.task,
        made.assemble,
        made.numbers,
        root,
        mesh,
        data,
        jax.device_put(few),
        made.cell,
        state,
        start.links(federation, state.params.size),
        like.test if like else jax.device_put(tuple(dataset[2:4])),
        shares,
    )


def examples(
    update: LocalUpdate,
    dataset: Dataset,
    parts: partition.Parts,
    mesh: Mesh,
    everyone: bool,
) -> Shards:
    """The clients' examples, on their devices, see `start.spread`."""
    arrays = dataset.train_inputs, dataset.train_labels
    lie = {"batch": update.batch, "longest": padded_length(update, parts)}
    return start.spread(*arrays, parts, mesh, **lie, everyone=everyone)


def layout(
    config: ConfigDict, dataset: Dataset, update: LocalUpdate, parts: partition.Parts
) -> start.Layout:
    """How the examples of `build` lie on the devices."""
    found, network = setting(config, dataset), trees(config)["network"]
    # A cell, which has places alone, does not ask everyone.
    everyone = not asks("network", network, "place") and (
        made(trees(config), "network", found.values).everyone
    )
    mesh = federated.suited_mesh(update, found.shapes, config.clients)
    arrays, sizes = dataset[:2], [len(part) for part in parts]
    lie = {"batch": update.batch, "longest": padded_length(update, parts)}
    return start.layout(*arrays, sizes, mesh, **lie, everyone=everyone)


def padded_length(update: LocalUpdate, parts: partition.Parts) -> int:
    """Rows of each client's arrays, see `start.padded_length`."""
    return start.padded_length([len(part) for part in parts], update.reads_all)


def client(config: ConfigDict, dataset: Dataset) -> LocalUpdate:
    """What a client computes, for what it says of its work."""
    found: Setting = setting(config, dataset)
    values, expressions = found.values, trees(config)
    task = made(expressions, "task", values)
    return made(expressions, "client", {**values, "loss": task.loss})


def split(config: ConfigDict, dataset: Dataset) -> partition.Parts:
    """The examples of each client, as the config's split has it.

    `ConfigError` if there are too few for it, or no such split was drawn, or if they have
    no users for a natural one, or if it is no split of them.
    """
    parts = made(trees(config), "split", known(config, dataset))
    count, rows = config.clients, len(dataset.train_labels)
    try:
        partition.require_parts(parts, count, rows)
    except ValueError as error:
        raise ConfigError(f"config.split: {config.split}: {error}") from error
    return tuple(parts)
