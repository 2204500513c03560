"""What a run's programs are made for: its model, and what its expressions may name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from flq_jax import keys, models, networks
from flq_jax.data import scaled
from flq_jax.data.dataset import Dataset
from flq_jax.federated import LocalUpdate
from flq_jax.wireless.cell import Cell

from ..options.parts import trees
from ..process.errors import ConfigError
from .composition import asks, made
from .composition import known as of_config


class Setting(NamedTuple):
    """What a run's programs are made for.

    Attributes:
        config: of the run.
        model: what the clients train.
        example: one input, [1, ...].
        shapes: of the model's params, see `jax.eval_shape`.
        values: what the expressions may name, the model and its `lengths` among it.
        mesh: the devices that the clients are spread over.
        shares: examples of each client; None before they are known.
    """

    config: ConfigDict
    model: nn.Module
    example: np.ndarray
    shapes: Any
    values: dict[str, Any]
    mesh: Mesh | None = None
    shares: tuple[int, ...] | None = None


def setting(config: ConfigDict, dataset: Dataset) -> Setting:
    """The setting; `ConfigError` unless the model takes the examples. Cheap."""
    values = known(config, dataset)
    model = made(trees(config), "model", values)
    example = np.asarray(scaled(dataset.train_inputs[:1]))
    packed = config.packed and hasattr(model, "packed")
    try:
        shapes = models.shapes_of(model, example.shape, example.dtype, packed)
    except Exception as error:  # a model may be anybody's
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"config.model: {config.model} must take the examples of {dataset.name}, "
            f"{example.shape[1:]}: {reason:.500}"
        ) from error
    values |= {"model": model, **lengths(shapes)}
    return Setting(config, model, example, shapes, values)


def known(config: ConfigDict, dataset: Dataset) -> dict[str, Any]:
    """What the expressions of the config may name, before there is a model."""
    return of_config(config) | {
        "labels": dataset.train_labels,
        "users": dataset.train_users,
        "num_classes": dataset.num_classes,
    }


def sent_shapes(update: LocalUpdate, shapes: Any) -> Any:
    """The shapes of what is broadcast: the model's, or more."""
    return jax.eval_shape(update.broadcast, shapes)


def lengths(shapes: Any) -> dict[str, Any]:
    """How long it is, `d`, and its tensors' `sizes` and `shapes`, one after another."""
    leaves = jax.tree.leaves(shapes)
    sizes = [leaf.size for leaf in leaves]
    return {"d": sum(sizes), "sizes": sizes, "shapes": [leaf.shape for leaf in leaves]}


def initial(found: Setting) -> Callable[[jax.Array], Any]:
    """The run's key -> the model's params before the first round."""

    def params(root):
        return models.initial_params(found.model, keys.init_key(root), found.example)

    return params


def dataset_of(config: ConfigDict) -> Dataset:
    """The data set that the config names; `ConfigError` if there is none."""
    return made(trees(config), "data", of_config(config))


def cell_of(config: ConfigDict, root: jax.Array) -> Cell | None:
    """Where the clients are and what they have; None where nobody asks for it."""
    if not asks("network", trees(config)["network"], "place"):
        return None
    group = {k: v for k, v in config.cell.items() if k != "bit_operations_a_cycle"}
    return networks.place(root, config.clients, **group)
