"""Whether a model takes the examples of a data set, and its messages can be counted."""

import jax
import numpy as np
from ml_collections import ConfigDict

from flq_jax import networks
from flq_jax.data.dataset import Dataset
from flq_jax.quantizers.base import require_indices

from ..process.errors import ConfigError
from . import programs, uplink
from .build import classifier


def require_fit(config: ConfigDict, dataset: Dataset) -> list[int]:
    """Raises `ConfigError` unless the model has shapes for the examples; cheap.

    Args:
        config: `config.model`, validated.
        dataset: what it shall classify.

    Returns:
        The sizes of the model's tensors, see `require_countable`.
    """
    shape = dataset.train_inputs.shape[1:]
    example = np.zeros((1, *shape), np.float32)
    try:
        model = classifier(config, dataset.num_classes)
        variables = jax.eval_shape(model.init, jax.random.key(0), example)
        if config.packed:  # its sums of integers must fit, too
            jax.eval_shape(model.clone(packed=True).apply, variables, example)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        reason = str(error)
        if isinstance(error, ZeroDivisionError):  # an initializer's, of its fan-in
            reason = "a layer has no inputs, its image is empty"
        raise ConfigError(
            f"config.model.name: {config.name} must take the examples of "
            f"{dataset.name}, {shape}: {reason}"
        ) from error
    return [leaf.size for leaf in jax.tree.leaves(variables)]


def require_countable(config: ConfigDict, sizes: list[int]) -> None:
    """Raises `ConfigError` unless all that a run numbers and counts has a number; cheap.

    Its parameters are numbered by i32. Messages may be of any length, see `Layout.unit`,
    but for those that a cell plans, see `flq_jax.wireless.bitwidth.as_lengths`.

    Args:
        config: validated.
        sizes: of the model's tensors.
    """
    num_params = sum(sizes)
    try:
        require_indices("model", "parameters", num_params)
        up = uplink.compressor(config, num_params).layout(num_params)
        programs.downlink(config, sizes).compressor.layout(num_params)
        if config.network.name == "cell":
            networks.offered(up)
    except ValueError as error:
        raise ConfigError(
            f"config.model.name: {config.model.name} of {num_params:,} parameters: {error}"
        ) from error
