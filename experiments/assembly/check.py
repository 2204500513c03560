"""Whether the parts of a config fit one another and its data, before anything is computed."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import federated
from flq_jax.data.clients import ClientData
from flq_jax.data.dataset import Dataset
from flq_jax.expressions.modules import digests
from flq_jax.federated import LocalUpdate, State
from flq_jax.quantizers.base import require_indices
from flq_jax.simulation import checks, start
from flq_jax.simulation.progress import FIGURES

from ..options.parts import trees
from ..process.errors import ConfigError
from ..process.metric_text import OF_SUMMARY
from .composition import require_free
from .programs import Arrays, Parts, assembled
from .setting import cell_of, initial, lengths, sent_shapes, setting

MOST_DRAWS = 10  # examples drawn at once, as a multiple of those that there are


def require_fit(config: ConfigDict, dataset: Dataset, sizes: Iterable[int]) -> State:
    """Raises `ConfigError` unless the config can be run on these data. Cheap.

    Every part is made once as its expression says, of shapes alone. Of a config that
    names modules of its own a whole round is traced as well, for what they hold may do
    anything.

    Args:
        config: whose options are good, each by itself.
        dataset: what it works on.
        sizes: how many examples each client has.

    Returns:
        The shapes of the run's state.
    """
    require_free(config)
    found, sizes = setting(config, dataset), tuple(sizes)
    found = found._replace(mesh=federated.client_mesh(config.clients), shares=sizes)
    if config.packed and not hasattr(found.model, "packed"):
        raise ConfigError(
            f"config.packed: must be False for a model without packed integers, got "
            f"{config.packed} and {config.model}"
        )
    parts = trees(config)

    def look(root, data):
        made = assembled(found, parts, Arrays(root, data, cell_of(config, root), {}))
        _require_judged(config, dataset, found.shapes, made)
        sent = sent_shapes(made.federation.local_update, found.shapes)
        _require_countable(config, made, lengths(sent)["d"])
        _require_batch(config, made.federation.local_update, sizes)
        _require_convex(config, made)
        _require_watched(config, made)
        # Known once they are imported.
        if own := [option for option, tree in parts.items() if digests([tree])]:
            where = ", ".join(f"config.{option}: {config[option]}" for option in own)
            _require_round(where, made, initial(found)(root), root, data)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), found.shapes)
        return federated.init(made.federation, zeros, config.clients)

    return jax.eval_shape(look, jax.random.key(0), _examples(config, dataset))


def _examples(config: ConfigDict, dataset: Dataset) -> ClientData:
    """The shapes of one example for each client."""
    inputs, targets = (
        jax.ShapeDtypeStruct((config.clients, 1, *array.shape[1:]), array.dtype)
        for array in (dataset.train_inputs, dataset.train_labels)
    )
    return ClientData(inputs, targets, jax.ShapeDtypeStruct((config.clients,), "int32"))


def _require_round(where: str, made: Parts, params, root, data: ClientData) -> None:
    try:
        state = federated.init(made.federation, params, len(data.sizes))
        federated.round_step(made.federation, root, data, state, jnp.int32(0))
        made.evaluate(root, state, 0, data, data.inputs[:, 0], data.labels[:, 0])
    except Exception as error:  # the parts may be anybody's
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"{where}: a round can't be traced: {type(error).__name__}: {reason:.500}"
        ) from error


def _require_judged(config: ConfigDict, dataset: Dataset, shapes, made: Parts) -> None:
    """Raises `ConfigError` unless loss and metrics, one or more, take the examples."""
    shard = checks.shard_of(dataset.test_inputs, dataset.test_labels, 1)
    taken = {*FIGURES, *OF_SUMMARY}
    try:
        checks.require_loss(made.task.loss, shapes, shard)
        checks.require_metrics(made.task.metrics, shapes, shard, taken)
        if not made.task.metrics:
            raise ValueError("its metrics must be one or more, got none")
    except ValueError as error:
        why = str(error).removeprefix("Simulation: ")
        raise ConfigError(f"config.task: {config.task}: {why}") from error


def _require_countable(config: ConfigDict, made: Parts, num_params: int) -> None:
    """Raises `ConfigError` unless all that a run numbers and counts has a number.

    Its parameters are numbered by i32. Messages may be of any length, see `Layout.unit`.
    """
    try:
        require_indices("model", "parameters", num_params)
        start.links(made.federation, num_params)
    except ValueError as error:
        raise ConfigError(
            f"config.model: {config.model} of {num_params:,} parameters: {error}"
        ) from error


def _require_batch(
    config: ConfigDict, client: LocalUpdate, sizes: tuple[int, ...]
) -> None:
    """Raises `ConfigError` if a minibatch is far larger than every client's share.

    Drawn with replacement it may exceed a share, whose gradient costs less and tells
    more; beyond `MOST_DRAWS` times the largest that is no choice but a slip, and its
    cost has no bound. Epochs take what there is, and no more.
    """
    largest = max(sizes)
    if client.steps and client.batch > MOST_DRAWS * largest:
        raise ConfigError(
            f"config.client: {config.client}: batch must be at most {MOST_DRAWS} times "
            f"the {largest} examples of the largest client, or 0 for all that a client "
            f"has, got {client.batch}"
        )


def _require_convex(config: ConfigDict, made: Parts) -> None:
    federation = made.federation
    alone = federation.local_update.full_gradient and federation.network.everyone
    if config.stop.residual and not (made.task.convex and alone):
        raise ConfigError(
            "config.stop.residual: must be 0 unless f* can be solved for: full-batch "
            "gradients of all clients, gradient(batch=0) and everyone(), of a convex "
            f"loss, such as Logistic's at full precision; got {config.stop.residual}"
        )


def _require_watched(config: ConfigDict, made: Parts) -> None:
    network = made.federation.network
    if config.log.study != "none" and not (network.everyone and not network.costs):
        raise ConfigError(
            "config.log.study: must be none where client 0 does not take part in every "
            f"round, got {config.log.study} with {config.network}"
        )
