"""FedNova: clients that take more steps have no more to say."""

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.federated.descent import averaging, batches
from flq_jax.federated.local import LocalUpdate, Loss
from flq_jax.single import single


def fednova(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    epochs: int,
    momentum: float = 0.0,
) -> LocalUpdate:
    """Normalised averaging (Wang et al. 2020): a client's movement counts by the step.

        x <- x - tau sum_m p_m (x - w_m) / a_m,   tau = sum_m p_m a_m,

    with p_m the client's share of the examples and a_m what its k_m steps of SGD add up
    to: k_m without momentum; with momentum rho, where the gradient of step k lives on in
    all later ones,

        a_m = (k_m - rho (1 - rho^k_m) / (1 - rho)) / (1 - rho).

    Federated averaging is the case of a_m = tau: there clients with more steps pull the
    model to their own minimum. The server knows n_m, of which k_m follows, and divides by
    a_m itself: nothing more is sent.

    Args:
        loss: f_m, (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer, SGD with that momentum; its state starts anew
            each round.
        batch: examples of a step, 1 or more.
        epochs: passes over the client's examples, 1 or more.
        momentum: rho, in [0, 1).

    Returns:
        The loss is the mean over the steps, the update params - local params.

    Raises:
        ValueError: a number is out of its range; TypeError: the optimizer is none.
    """
    require_integer("fednova", "epochs", epochs, 1)
    work = batches("fednova", loss, optimizer, batch, epochs, 0)
    if not 0.0 <= single(momentum) < 1.0:
        raise ValueError(f"fednova: momentum must be in [0, 1), got {momentum=}")

    def normaliser(sizes: jax.Array) -> jax.Array:
        count = jnp.maximum(work.count(sizes), 1).astype(jnp.float32)
        lost = momentum * (1.0 - momentum**count) / (1.0 - momentum)
        return (count - lost) / (1.0 - momentum)

    return averaging(loss, optimizer, work)._replace(normaliser=normaliser)
