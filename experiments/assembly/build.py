"""From a config to the objects of a run."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from flq_jax import federated, keys, models
from flq_jax.data import clients, partition
from flq_jax.data.dataset import Dataset
from flq_jax.federated import Federation, State
from flq_jax.ledger import Links
from flq_jax.simulation import start
from flq_jax.wireless.cell import Cell

from ..process.errors import ConfigError
from . import cell_network
from .programs import Arrays, Parts, assembled


class Run(NamedTuple):
    """A run, ready to start.

    Attributes:
        federation: what its rounds are made of.
        loss: the clients' local loss.
        assemble: arrays -> `Parts`, where they are traced; the two above are made so.
        root: its key.
        mesh: the devices that the clients are spread over.
        data: the clients' examples, on their devices.
        cell: where the clients are and what they have, or None without a cell.
        state: before the first round, on the clients' devices.
        links: the layouts of its messages.
        test: (inputs u8[n, ...], labels i32[n]).
        partition: sizes, label histogram and hash of the clients' shares.
    """

    federation: Federation
    loss: federated.Loss
    assemble: Callable[[Arrays], Parts]
    root: jax.Array
    mesh: Mesh
    data: clients.ClientData
    cell: Cell | None
    state: State
    links: Links
    test: tuple[jax.Array, jax.Array]
    partition: partition.Summary


def build(config: ConfigDict, dataset: Dataset, like: Run | None = None) -> Run:
    """Makes the objects that a validated config names.

    Args:
        config: validated.
        dataset: what `config.data` names.
        like: another run on it, whose arrays of examples are used where they are the same.
    """
    root = keys.seed_key(config.seed)
    parts = split(config, dataset)
    shares = partition.summary(parts, dataset.train_labels)
    mesh = federated.client_mesh(config.clients)
    if like and like.partition.digest == shares.digest:
        data = like.data
    else:
        data = examples(config, dataset, parts, mesh)
    model = classifier(config.model, dataset.num_classes)
    example = np.zeros((1, *dataset.train_inputs.shape[1:]), np.float32)

    def initial(root):
        return model.init(keys.init_key(root), example)["params"]

    params = jax.eval_shape(initial, root)
    in_cell = config.network.name == "cell"
    cell = cell_network.place(config.network, root, config.clients) if in_cell else None
    assemble = partial(assembled, config, model, params, mesh)
    federation, loss, _ = assemble(Arrays(root, data, cell, {}))
    return Run(
        federation,
        loss,
        assemble,
        root,
        mesh,
        data,
        cell,
        start.initial_state(federation, initial, root, config.clients, mesh),
        start.links(federation, sum(leaf.size for leaf in jax.tree.leaves(params))),
        like.test if like else jax.device_put(tuple(dataset[2:4])),
        shares,
    )


def examples(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts, mesh: Mesh
) -> clients.ClientData:
    """The clients' examples, on their devices; a process makes its own clients' alone."""
    return start.spread(
        dataset.train_inputs,
        dataset.train_labels,
        parts,
        mesh,
        batch=config.client.batch,
        longest=padded_length(config, parts),
    )


def require_clients_for_each(config: ConfigDict) -> None:
    """Raises `ConfigError`, in every process, unless each one's devices hold clients."""
    mesh, count = federated.client_mesh(config.clients), jax.process_count()
    if len({device.process_index for device in mesh.devices.flat}) < count:
        raise ConfigError(
            f"config.clients: must be a multiple of the {jax.device_count()} devices of "
            f"all {count} processes, got {config.clients}"
        )


def padded_length(config: ConfigDict, parts: partition.Parts) -> int:
    """Rows of each client's arrays, see `start.padded_length`."""
    draws = config.client.batch and not config.client.epochs
    return start.padded_length([len(part) for part in parts], not draws)


def split(config: ConfigDict, dataset: Dataset) -> partition.Parts:
    """The examples of each client, as the config's partition has it.

    `ConfigError` if there are too few for it, or no such split was drawn, or if they have
    no users for a natural one.
    """
    data, users = config.data, dataset.train_users
    if data.partition == "natural" and users is None:
        raise ConfigError(
            "config.data.partition: must be another than natural for a data set without "
            f"users, got {dataset.name!r} (an npz file says them in train_users)"
        )
    ways = {
        "contiguous": partition.contiguous,
        "iid": partition.iid,
        "shards": partial(partition.shards, shards_per_client=data.shards),
        "dirichlet": partial(
            partition.dirichlet, alpha=data.alpha, min_size=data.min_size
        ),
        "quantity_skew": partial(
            partition.quantity_skew, alpha=data.alpha, min_size=data.min_size
        ),
    }
    try:
        if data.partition == "natural":
            return partition.natural(users, config.clients, config.seed)
        return ways[data.partition](dataset.train_labels, config.clients, config.seed)
    except ValueError as error:
        raise ConfigError(f"config.data.partition: {error}") from error


def classifier(config: ConfigDict, num_classes: int) -> nn.Module:
    """The model that the clients train."""
    bits = models.Bits(config.weight_bits, config.activation_bits, config.gradient_bits)
    inner = {
        "num_classes": num_classes,
        "bits": bits,
        "edge_bits": bits if config.quantize_edges else models.Bits(),
    }
    makers = {
        "logistic": lambda: models.Logistic(num_classes, config.bias, bits),
        "mlp": lambda: models.MLP(tuple(config.hidden), num_classes, config.bias, bits),
        "cnn": lambda: models.CNN(
            tuple(config.channels), use_bias=config.bias, **inner
        ),
        "mcmahan_cnn": lambda: models.mcmahan_cnn(use_bias=config.bias, **inner),
        "svhn": lambda: models.SVHNNet(**inner),
    }
    return makers[config.name]()
