"""The shapes of a model's parameters."""

import functools
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from flq_jax.models.stateless import require_stateless


@functools.lru_cache(maxsize=64)
def shapes_of(
    model: nn.Module, shape: tuple[int, ...], dtype: np.dtype, packed: bool
) -> Any:
    """The shapes of a model's params for inputs such as these; nothing is computed."""
    example = jax.ShapeDtypeStruct(shape, dtype)
    variables = jax.eval_shape(model.init, jax.random.key(0), example)
    require_stateless(model, variables)
    if packed:  # its sums of integers must fit, too
        jax.eval_shape(model.clone(packed=True).apply, variables, example)
    return variables["params"]
