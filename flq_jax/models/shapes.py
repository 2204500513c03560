"""The shapes of a model's parameters."""

import functools
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from flq_jax.models.stateless import require_stateless

EMPTY = "a layer has no inputs, its image is empty"


@functools.lru_cache(maxsize=64)
def shapes_of(
    model: nn.Module, shape: tuple[int, ...], dtype: np.dtype, packed: bool
) -> Any:
    """The shapes of a model's params for inputs such as these; nothing is computed.

    ValueError if a tensor has no entries: the layer is beyond the image's last pixel.
    """
    example = jax.ShapeDtypeStruct(shape, dtype)
    try:
        variables = jax.eval_shape(model.init, jax.random.key(0), example)
    except (
        ZeroDivisionError
    ) as error:  # an initializer's before JAX 0.11, of its fan-in
        raise ValueError(EMPTY) from error
    if not all(leaf.size for leaf in jax.tree.leaves(variables)):
        raise ValueError(EMPTY)
    require_stateless(model, variables)
    if packed:  # its sums of integers must fit, too
        jax.eval_shape(model.clone(packed=True).apply, variables, example)
    return variables["params"]
