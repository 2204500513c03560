"""From a config to the objects of a run."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

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
    parts = split(config, dataset.train_labels)
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
        initial_state(federation, initial, root, config.clients, mesh),
        links(federation, sum(leaf.size for leaf in jax.tree.leaves(params))),
        like.test if like else jax.device_put(tuple(dataset[2:4])),
        shares,
    )


def examples(
    config: ConfigDict, dataset: Dataset, parts: partition.Parts, mesh: Mesh
) -> clients.ClientData:
    """The clients' examples, on their devices; a process makes its own clients' alone."""
    local = federated.local_clients(mesh, config.clients)
    data = clients.client_data(
        dataset.train_inputs,
        dataset.train_labels,
        [parts[client] for client in local],
        dtype=None if config.client.batch else np.float32,
        longest=padded_length(config, parts),
    )
    return federated.from_local(mesh, data)


def require_clients_for_each(config: ConfigDict) -> None:
    """Raises `ConfigError`, in every process, unless each one's devices hold clients."""
    mesh, count = federated.client_mesh(config.clients), jax.process_count()
    if len({device.process_index for device in mesh.devices.flat}) < count:
        raise ConfigError(
            f"config.clients: must be a multiple of the {jax.device_count()} devices of "
            f"all {count} processes, got {config.clients}"
        )


def padded_length(config: ConfigDict, parts: partition.Parts) -> int:
    """Rows of each client's arrays: as many as the largest client has, or more.

    Where clients differ and draw minibatches, it is rounded up to 2^k or 1.5 2^k, so
    that most splits by other seeds have the same length, and share a program. Full
    batches and local epochs would take longer by it.
    """
    sizes = [len(part) for part in parts]
    longest = max(sizes)
    draws = config.client.batch and not config.client.epochs
    if min(sizes) == longest or not draws:
        return longest
    step = max(1, 2 ** (longest.bit_length() - 2))
    return -(-longest // step) * step


def initial_state(
    federation: Federation,
    initial: Callable[[jax.Array], Any],
    root: jax.Array,
    num_clients: int,
    mesh: Mesh,
) -> State:
    """The state before the first round, each client's part made where it belongs.

    It is one program: each of the many small ones of an initialisation would have to be
    compiled by itself.

    Args:
        federation: what the run is made of.
        initial: the run's key -> the initial params.
        root: the run's key.
        num_clients: M.
        mesh: the devices that the clients are spread over.
    """

    def init(root):
        return federated.init(federation, initial(root), num_clients)

    lies = federated.state_sharding(mesh, jax.eval_shape(init, root))
    # It runs once: to optimise it would take longer than to run it as it is.
    quickly = {"xla_backend_optimization_level": 0}
    return jax.jit(init, out_shardings=lies, compiler_options=quickly)(root)


def split(config: ConfigDict, labels: np.ndarray) -> partition.Parts:
    """The examples of each client, as the config's partition has it.

    `ConfigError` if there are too few for it, or no such split was drawn.
    """
    data = config.data
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
        return ways[data.partition](labels, config.clients, config.seed)
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


def links(federation: Federation, num_params: int) -> Links:
    """The layouts of the run's messages.

    A client can tell the model's movement from two exact broadcasts that it heard one
    after the other; where broadcasts are quantized, or it may have missed one, it must be
    told the threshold of its lazy rule.
    """
    down = federation.downlink.compressor.layout(num_params)
    exact = down.floats and federation.network.everyone
    lazy = federation.compressor.history > 0
    return Links(
        federation.compressor.layout(num_params),
        down,
        threshold_bits=32 if lazy and not exact else 0,
    )
