"""Federated averaging: local steps by any optimizer, then the model's movement."""

import optax

from flq_jax.arguments import require_integer
from flq_jax.federated.descent import averaging, batches
from flq_jax.federated.local import LocalUpdate, Loss


def local_epochs(
    loss: Loss, optimizer: optax.GradientTransformation, batch: int, epochs: int
) -> LocalUpdate:
    """Epochs of minibatches, then the model delta (Feng, Ning et al. 2023, Eqs. 3-4).

    Each epoch visits each of the client's examples once, in an order of its own; the
    last batch of an epoch may be short. A client with fewer examples than another
    takes fewer steps, at less cost, and one without examples takes none.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: the client optimizer, of optax, else TypeError; its state starts anew each round.
        batch: examples per step, 1 or more; ValueError otherwise. One that is larger
            than the client's share takes all of it, and costs no more.
        epochs: passes over the client's examples, 1 or more; ValueError otherwise.

    Returns:
        The loss is the mean over the steps, the update params - local params. The sign
        is a gradient's: a server that steps by 1 against the mean of the updates
        averages the clients' models.
    """
    require_integer("local_epochs", "epochs", epochs, 1)
    work = batches("local_epochs", loss, optimizer, batch, epochs, 0)
    return averaging(loss, optimizer, work)


def local_steps(
    loss: Loss, optimizer: optax.GradientTransformation, batch: int, steps: int
) -> LocalUpdate:
    """As many steps for each client, on batches drawn with replacement.

        w <- w - eta grad f_m(w; batch),   K times from w = params  (K of Karimireddy et
        al. 2020, H of local SGD: Stich 2019).

    Gradients are clipped by `optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))`.

    Args:
        loss, optimizer: as in `local_epochs`.
        batch: examples of a step, 1 or more; ValueError otherwise.
        steps: K, 1 or more; ValueError otherwise. A client without examples takes none.

    Returns:
        As in `local_epochs`.
    """
    require_integer("local_steps", "steps", steps, 1)
    work = batches("local_steps", loss, optimizer, batch, 0, steps)
    return averaging(loss, optimizer, work)
