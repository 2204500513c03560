"""From a config to the objects of a run."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh
from ml_collections import ConfigDict

from experiments import radio, uplink
from experiments.ledger import Links
from flq_jax import compressors, federated, keys, models, quantizers
from flq_jax.data import clients, partition
from flq_jax.data.dataset import Dataset
from flq_jax.federated import Downlink, Federation, State


class Run(NamedTuple):
    """A run, ready to start.

    Attributes:
        federation: what its rounds are made of.
        loss: the clients' local loss.
        root: its key.
        mesh: the devices that the clients are spread over.
        data: the clients' examples, on their devices.
        state: before the first round, likewise.
        links: the layouts of its messages.
        evaluate: (root, state, round index i32[], data, test inputs, test labels) -> (train
            loss f32[], correct test predictions i32[]) of the model as the clients will
            hear it in that round.
        test: (inputs u8[n, ...], labels i32[n]).
        partition: sizes, label histogram and hash of the clients' shares.
    """

    federation: Federation
    loss: federated.Loss
    root: jax.Array
    mesh: Mesh
    data: clients.ClientData
    state: State
    links: Links
    evaluate: Callable[..., tuple[jax.Array, jax.Array]]
    test: tuple[jax.Array, jax.Array]
    partition: partition.Summary


def build(config: ConfigDict, dataset: Dataset) -> Run:
    """Makes the objects that a validated config names."""
    root = keys.seed_key(config.seed)
    parts = split(config, dataset.train_labels)
    full_batch = not config.client.batch
    data = clients.client_data(
        dataset.train_inputs,
        dataset.train_labels,
        parts,
        dtype=np.float32 if full_batch else np.uint8,
    )
    mesh = federated.client_mesh(config.clients)
    data = jax.device_put(data, federated.over_clients(mesh, data))
    model = classifier(config.model, dataset.num_classes)
    example = jnp.zeros((1, *dataset.train_inputs.shape[1:]))
    params = model.init(keys.init_key(root), example)["params"]
    theta, unravel = ravel_pytree(params)
    loss = models.classification_loss(model, config.l2)
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    federation = Federation(
        local_update(config.client, loss),
        uplink.compressor(config, theta.size),
        downlink(config, sizes),
        server_optimizer(config),
        server_step(config),
        ideal_network(config),
        unravel,
        at_once(config.client, mesh),
        AGGREGATES[config.server.aggregate],
    )
    if config.network.name == "cell":
        federation = in_a_cell(config, federation, root, params, data.sizes)
    state = federated.init(federation, params, config.clients)
    return Run(
        federation,
        loss,
        root,
        mesh,
        data,
        jax.device_put(state, federated.state_sharding(mesh, state)),
        links(federation, theta.size),
        evaluation(federation, model, loss, mesh),
        (jnp.asarray(dataset.test_inputs), jnp.asarray(dataset.test_labels)),
        partition.summary(parts, dataset.train_labels),
    )


def split(config: ConfigDict, labels: np.ndarray) -> partition.Parts:
    """The examples of each client, as the config's partition has it."""
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
    return ways[data.partition](labels, config.clients, config.seed)


def downlink(config: ConfigDict, sizes: list[int]) -> Downlink:
    """How the model is broadcast; `sizes` are those of its tensors."""
    options = config.downlink
    if options.quantizer == "tanh":
        return federated.tanh_downlink(options.bits, sizes)
    makers = {
        "identity": quantizers.identity,
        "sign": quantizers.sign,
        "uniform": lambda: quantizers.uniform(options.bits),
    }
    memories = {"direct": compressors.direct, "innovation": compressors.innovation}
    each = quantizers.segmented(makers[options.quantizer](), sizes)
    each = uplink.warmed_up(each, config.warm_up, sum(sizes))
    return federated.compressed(memories[options.memory](each))


def classifier(config: ConfigDict, num_classes: int) -> nn.Module:
    """The model that the clients train."""
    bits = models.Bits(config.weight_bits, config.activation_bits, config.gradient_bits)
    makers = {
        "logistic": lambda: models.Logistic(num_classes, config.bias, bits),
        "mlp": lambda: models.MLP(config.hidden, num_classes, config.bias, bits),
    }
    return makers[config.name]()


def local_update(config: ConfigDict, loss: federated.Loss) -> federated.LocalUpdate:
    """What a client computes: one gradient, or a model delta after local epochs."""
    if not config.epochs:
        return federated.gradient(loss, config.batch)
    optimizer = optax.sgd(config.learning_rate)
    return federated.local_epochs(loss, optimizer, config.batch, config.epochs)


# Clients are grouped so that a minibatch of all in a group is about as many examples.
EXAMPLES_AT_ONCE = 1000


def at_once(config: ConfigDict, mesh: Mesh) -> Callable[[Callable], Callable]:
    """How many clients compute at the same time."""
    if config.at_once:
        return federated.in_groups(config.at_once, mesh)
    if not config.batch:
        return jax.vmap
    return federated.in_groups(max(1, EXAMPLES_AT_ONCE // config.batch), mesh)


# "sum" is a longer step along the mean, see `server_step`.
AGGREGATES = {
    "sum": federated.weighted_mean,
    "mean": federated.weighted_mean,
    "vote": federated.majority_vote,
}


def server_step(config: ConfigDict) -> float:
    """The server's step on the mean: alpha, or alpha M where it follows the sum."""
    alpha = config.server.learning_rate
    return alpha * config.clients if config.server.aggregate == "sum" else alpha


def server_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """The optimizer that the server applies to the mean update."""
    step = server_step(config)
    makers = {
        "sgd": lambda: optax.sgd(step),
        "momentum": lambda: optax.sgd(step, momentum=config.server.momentum),
        "adam": lambda: optax.adam(step, eps=config.server.epsilon),
        "onebit_adam": lambda: federated.onebit_adam(
            step,
            config.warm_up,
            b1=config.compressor.momentum,
            eps=config.server.epsilon,
        ),
    }
    return makers[config.server.optimizer]()


def ideal_network(config: ConfigDict) -> federated.Network:
    """All clients or some of them, at no cost."""
    if not config.sampled:
        return federated.everyone(config.clients)
    return federated.sampled(config.clients, config.sampled)


def in_a_cell(
    config: ConfigDict,
    federation: Federation,
    root: jax.Array,
    params: Any,
    sizes: jax.Array,
) -> Federation:
    """The federation with its clients in the cell that the config describes."""
    leaves = jax.tree.leaves(params)
    num_params = sum(leaf.size for leaf in leaves)
    num_weights = sum(leaf.size for leaf in leaves if leaf.ndim > 1)
    at_a_time = jnp.full_like(sizes, config.client.batch)
    if config.client.epochs or not config.client.batch:
        at_a_time = sizes * max(config.client.epochs, 1)
    work = radio.Work(
        federation.compressor.layout(num_params),
        federation.downlink.compressor.layout(num_params).num_bits,
        radio.cycles(config, num_weights, sizes, at_a_time),
        sizes,
    )
    cell = radio.place(config.network, root, config.clients)
    network = radio.cell_network(config.network, cell, work)
    return federation._replace(network=network)


def links(federation: Federation, num_params: int) -> Links:
    """The layouts of the run's messages."""
    down = federation.downlink.compressor.layout(num_params)
    lazy = federation.compressor.history > 0
    return Links(
        federation.compressor.layout(num_params),
        down,
        threshold_bits=32 if lazy and not down.floats else 0,
    )


def evaluation(
    federation: Federation, model: nn.Module, loss: federated.Loss, mesh: Mesh
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The train loss and the test predictions of the model as the clients hear it."""

    def evaluate(root, state, round_index, data, inputs, labels):
        key = keys.init_key(root)
        sent = federated.heard(
            federation.downlink, key, state.params, state.downlink, round_index
        )
        params = federation.unravel(sent.model)

        def local_loss(shard):
            return loss(params, *federated.whole(shard), jax.random.clone(key))

        losses = federated.in_groups(1, mesh)(local_loss)(data)
        shares = data.sizes / jnp.sum(data.sizes)
        correct = models.num_correct(model, params, clients.scaled(inputs), labels)
        return shares @ losses, correct

    return evaluate
