"""From a config to the objects of a run."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from ml_collections import ConfigDict

from experiments.ledger import Links
from flq_jax import compressors, federated, keys, models, quantizers
from flq_jax.compressors import Compressor
from flq_jax.data import clients, partition
from flq_jax.data.dataset import Dataset
from flq_jax.federated import Downlink, Federation, State
from flq_jax.quantizers import Quantizer


class Run(NamedTuple):
    """A run, ready to start.

    Attributes:
        federation: what its rounds are made of.
        loss: the clients' local loss.
        root: its key.
        data: the clients' examples.
        state: before the first round.
        links: the layouts of its messages.
        evaluate: (root, state, data, test inputs, test labels) -> (train loss f32[], correct
            test predictions i32[]) of the model as the clients hear it.
        test: (inputs u8[n, ...], labels i32[n]).
        partition: sizes, label histogram and hash of the clients' shares.
    """

    federation: Federation
    loss: federated.Loss
    root: jax.Array
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
    data = jax.tree.map(jnp.asarray, data)
    model = network(config.model, dataset.num_classes)
    example = jnp.zeros((1, *dataset.train_inputs.shape[1:]))
    params = model.init(keys.init_key(root), example)["params"]
    theta, unravel = ravel_pytree(params)
    loss = models.classification_loss(model, config.l2)
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    federation = Federation(
        local_update(config.client, loss),
        compressor(config.compressor),
        downlink(config.downlink, sizes),
        server_optimizer(config),
        server_step(config),
        participation(config),
        unravel,
    )
    return Run(
        federation,
        loss,
        root,
        data,
        federated.init(federation, params, config.clients),
        links(federation, theta.size),
        evaluation(federation, model, loss),
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


def quantizer(config: ConfigDict) -> Quantizer:
    """The uplink's quantizer."""
    radius = None
    if config.radius == "geometric":
        radius = quantizers.geometric(config.radius_scale, config.radius_rate)
    makers = {
        "identity": quantizers.identity,
        "sign": quantizers.sign,
        "uniform": lambda: quantizers.uniform(config.bits, radius),
        "stochastic": lambda: quantizers.stochastic(
            2 ** (config.bits - 1) - 1, config.norm
        ),
        "drive": lambda: quantizers.drive(config.unbiased),
        "drive_plus": lambda: quantizers.drive_plus(config.unbiased),
        "eden": lambda: quantizers.eden(config.rate, config.unbiased),
        "quic_fl": quantizers.quic_fl,
        "thc": lambda: quantizers.thc(
            config.bits, config.granularity, config.shared_norm or None
        ),
        "uveqfed": lambda: quantizers.uveqfed(
            config.lattice, config.bits, config.reach or None
        ),
    }
    return makers[config.quantizer]()


def compressor(config: ConfigDict) -> Compressor:
    """The uplink: a quantizer, what its ends remember, and when it is silent."""
    memories = {
        "direct": compressors.direct,
        "error_feedback": compressors.error_feedback,
        "innovation": compressors.innovation,
    }
    link = memories[config.memory](quantizer(config))
    if not config.lazy:
        return link
    return compressors.lazy(
        link,
        history=config.lazy_history,
        weight=config.lazy_weight,
        max_silence=config.lazy_max_silence,
        error_weight=config.lazy_error_weight,
    )


def downlink(config: ConfigDict, sizes: list[int]) -> Downlink:
    """How the model is broadcast; `sizes` are those of its tensors."""
    makers = {
        "identity": federated.exact,
        "uniform": lambda: federated.uniform_downlink(config.bits, sizes),
        "tanh": lambda: federated.tanh_downlink(config.bits, sizes),
    }
    return makers[config.quantizer]()


def network(config: ConfigDict, num_classes: int) -> nn.Module:
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
        "adam": lambda: optax.adam(step),
    }
    return makers[config.server.optimizer]()


def participation(config: ConfigDict) -> federated.Participation:
    """Who hears the broadcast."""
    if not config.sampled:
        return federated.everyone(config.clients)
    return federated.sampled(config.clients, config.sampled)


def links(federation: Federation, num_params: int) -> Links:
    """The layouts of the run's messages."""
    down = federation.downlink.quantizer.layout(num_params)
    lazy = federation.compressor.history > 0
    return Links(
        federation.compressor.layout(num_params),
        down,
        threshold_bits=32 if lazy and not down.floats else 0,
    )


def evaluation(
    federation: Federation, model: nn.Module, loss: federated.Loss
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The train loss and the test predictions of the model as the clients hear it."""
    down = federation.downlink.quantizer

    def evaluate(root, state, data, inputs, labels):
        key = keys.init_key(root)
        heard = down.decode(key, down.encode(jax.random.clone(key), state.params))
        params = federation.unravel(heard)

        def local_loss(shard):
            return loss(params, *federated.whole(shard), jax.random.clone(key))

        losses = jax.lax.map(local_loss, data)
        shares = data.sizes / jnp.sum(data.sizes)
        correct = models.num_correct(model, params, clients.scaled(inputs), labels)
        return shares @ losses, correct

    return evaluate
