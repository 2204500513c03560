"""What a run's programs are made of, from its config and the arrays it works on."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from flq_jax import compressors, federated, models, networks, quantizers
from flq_jax.data import clients
from flq_jax.federated import Downlink, Federation
from flq_jax.simulation.evaluation import evaluation
from flq_jax.wireless.cell import Cell

from . import cell_network, uplink
from .evaluation import hits


class Arrays(NamedTuple):
    """What runs of one program may differ in, beside the state; a leaf may be traced.

    Attributes:
        root: the run's key.
        data: the clients' examples, on their devices.
        cell: where the clients are and what they have, or None without a cell.
        numbers: values that stand in for the config's, option -> f32[].
    """

    root: jax.Array
    data: clients.ClientData
    cell: Cell | None
    numbers: dict[str, jax.Array]


class Parts(NamedTuple):
    """What a run's programs are made of.

    Attributes:
        federation: what its rounds are made of.
        loss: the clients' local loss.
        evaluate: (root, state, round index i32[], data, test inputs, test labels) ->
            (train loss f32[], {"test_accuracy": correct predictions i32[]}) of the model
            as the clients will hear it in that round.
    """

    federation: Federation
    loss: federated.Loss
    evaluate: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]


def assembled(
    config: ConfigDict, model: nn.Module, params: Any, mesh: Mesh, arrays: Arrays
) -> Parts:
    """The parts of a run's programs.

    Args:
        config: validated; `arrays.numbers` stand in for some of its values.
        model: what the clients train.
        params: the shapes of the model's, see `jax.eval_shape`.
        mesh: the devices that the clients are spread over.
        arrays: what the run works on.
    """
    config = with_numbers(config, arrays.numbers)
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    loss = models.classification_loss(model, config.l2)
    work = local_update(config.client, loss)
    link, down = uplink.compressor(config, sum(sizes)), downlink(config, sizes)
    network = ideal_network(config)
    if arrays.cell is not None:
        network = cell_of(config, work, link, down, model, arrays)
    federation = federated.federation(
        params,
        work,
        link,
        server_optimizer(config),
        network,
        step_size=server_step(config),
        downlink=down,
        grouping=grouping(config, work, params, mesh),
        aggregate=AGGREGATES[config.server.aggregate],
    )
    tested = model.clone(packed=config.model.packed)
    return Parts(
        federation, loss, evaluation(federation, loss, hits(tested, mesh), mesh)
    )


def with_numbers(config: ConfigDict, numbers: dict[str, jax.Array]) -> ConfigDict:
    """The config with these values, which may be traced, in place of its own."""
    if not numbers:
        return config
    config = config.copy_and_resolve_references()
    with config.ignore_type():
        config.update_from_flattened_dict(numbers)
    return config


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


def local_update(config: ConfigDict, loss: federated.Loss) -> federated.LocalUpdate:
    """What a client computes: one gradient, or a model delta after local epochs."""
    if not config.epochs:
        draws = {"examples": federated.drawn, "batches": federated.one_of_fixed}
        return federated.gradient(loss, config.batch, draws[config.draw])
    optimizer = optax.sgd(config.learning_rate)
    return federated.local_epochs(loss, optimizer, config.batch, config.epochs)


def grouping(
    config: ConfigDict, work: federated.LocalUpdate, params: Any, mesh: Mesh
) -> federated.Grouping:
    """How many clients compute at the same time."""
    if config.client.at_once:
        return federated.in_groups(config.client.at_once, mesh)
    return federated.suited(work, params, mesh)


# "sum" is a longer step along the mean, see `server_step`.
AGGREGATES = {
    "sum": federated.WEIGHTED_MEAN,
    "mean": federated.WEIGHTED_MEAN,
    "vote": federated.MAJORITY_VOTE,
}


def server_step(config: ConfigDict) -> float:
    """The server's step on the mean: alpha, or alpha M where it follows the sum.

    Adam's step is alpha in either case: it is as long on a sum as on a mean.
    """
    alpha, server = config.server.learning_rate, config.server
    scales = server.aggregate == "sum" and server.optimizer in ("sgd", "momentum")
    return alpha * config.clients if scales else alpha


def server_optimizer(config: ConfigDict) -> optax.GradientTransformation:
    """The optimizer that the server applies to the mean update.

    Its step is `server_step`, times (1 + cos(pi k / K)) / 2 in round k of K if it is
    scheduled by a cosine (Loshchilov & Hutter 2017, Eq. 5, without restarts).
    """
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
    optimizer = makers[config.server.optimizer]()
    if config.server.schedule == "constant":
        return optimizer
    share = optax.cosine_decay_schedule(1.0, config.rounds)
    return optax.chain(optimizer, optax.scale_by_schedule(share))


def ideal_network(config: ConfigDict) -> federated.Network:
    """All clients or some of them, at no cost."""
    if not config.sampled:
        return federated.everyone(config.clients)
    return federated.sampled(config.sampled, config.clients)


def cell_of(
    config: ConfigDict,
    local_update: federated.LocalUpdate,
    link: compressors.Compressor,
    down: Downlink,
    model: nn.Module,
    arrays: Arrays,
) -> federated.Network:
    """The network of clients in a cell, who send and compute so."""
    sizes, image = arrays.data.sizes, arrays.data.inputs.shape[2:]
    layers = models.layer_costs(model, image)
    num_params = sum(sum(layer.params.values()) for layer in layers)
    work = networks.Work(
        link.layout(num_params),
        down.compressor.layout(num_params).num_bits,
        networks.cycles(
            layers,
            sizes,
            local_update.examples(sizes),
            config.network.bit_operations_a_cycle,
        ),
        sizes,
    )
    return cell_network.cell_network(config.network, arrays.cell, work)
