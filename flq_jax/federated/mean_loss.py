"""The loss of a batch, from that of its examples."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_callable
from flq_jax.federated.local import Loss
from flq_jax.precision import EXACT


def mean_of(loss: Callable[..., jax.Array]) -> Loss:
    """The weighted mean of per-example losses, sum_i weights_i l_i: what a client minimises.

        @flq.mean_of
        def loss(params, inputs, targets):
            return (inputs @ params["w"] - targets) ** 2

    Blank rows, which fill up the batch of a client with too few examples, have weight 0
    and inputs and targets of zeros; a loss whose gradient is not finite there makes the
    client's update so.

    Args:
        loss: (params, inputs [b, ...], targets [b, ...]) -> a loss of each example, f[b].

    Returns:
        (params, inputs, targets, weights f32[b], key) -> f32[], see `Batch`; the key is
        not used. ValueError where `loss` gives another shape.
    """

    require_callable("mean_of", "loss", loss)

    def mean(params, inputs, targets, weights, key=None):
        del key
        losses = loss(params, inputs, targets)
        if jnp.shape(losses) != weights.shape:
            raise ValueError(
                "mean_of: the loss must give a number for each example, "
                f"{list(weights.shape)}, got {list(jnp.shape(losses))}"
            )
        some = jnp.where(weights > 0.0, losses, 0.0)
        return jnp.dot(weights, some, precision=EXACT)

    return mean
