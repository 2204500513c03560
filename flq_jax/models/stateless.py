"""A model is its parameters: what else it keeps no federation can hold."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax


def require_stateless(model: nn.Module, variables: Mapping[str, Any]) -> None:
    """Raises ValueError if the model has variables that are no parameters.

    Running statistics, as of BatchNorm, are of one client's examples: the clients of a
    federation would have to agree on them, and averages of them are nobody's.

    Args:
        model: of whose class the error speaks.
        variables: what `model.init` gives, or their shapes.
    """
    others = sorted({*variables} - {"params"})
    if not others:
        return
    why = "must have parameters alone"
    if "batch_stats" in others:
        why = (
            "must have no running statistics, on which clients do not agree: put "
            "nn.GroupNorm in the place of nn.BatchNorm"
        )
    raise ValueError(f"{type(model).__name__}: {why}, got {', '.join(others)}")


def initial_params(model: nn.Module, key: jax.Array, example: jax.Array) -> Any:
    """The parameters that `model.init(key, example)` draws; ValueError if it keeps more.

    Args:
        model: a flax module.
        key: of the run, see `init_key`.
        example: inputs of the model, [1, ...].
    """
    variables = model.init(key, example)
    require_stateless(model, variables)
    return variables["params"]
