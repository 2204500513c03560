"""Whether a model takes the examples of a data set."""

import jax
import numpy as np
from ml_collections import ConfigDict

from flq_jax.data.dataset import Dataset

from ..process.errors import ConfigError
from .build import classifier


def require_fit(config: ConfigDict, dataset: Dataset) -> None:
    """Raises `ConfigError` unless the model has shapes for the examples; cheap.

    Args:
        config: `config.model`, validated.
        dataset: what it shall classify.
    """
    shape = dataset.train_inputs.shape[1:]
    example = np.zeros((1, *shape), np.float32)
    try:
        model = classifier(config, dataset.num_classes)
        jax.eval_shape(model.init, jax.random.key(0), example)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        reason = str(error)
        if isinstance(error, ZeroDivisionError):  # an initializer's, of its fan-in
            reason = "a layer has no inputs, its image is empty"
        raise ConfigError(
            f"config.model.name: {config.name} must take the examples of "
            f"{dataset.name}, {shape}: {reason}"
        ) from error
