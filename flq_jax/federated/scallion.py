"""SCALLION and SCAFCOM: SCAFFOLD whose clients send one compressed vector."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.federated.descent import Batches, batches, descended
from flq_jax.federated.local import LocalUpdate, Loss
from flq_jax.federated.scaffold import Controlled, shifted, summed
from flq_jax.single import single


class Averaged(NamedTuple):
    """What a client of SCAFCOM remembers.

    Attributes:
        control: c_m, shaped as the params.
        average: v_m, likewise.
    """

    control: Any
    average: Any


def scallion(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    alpha: float,
    epochs: int = 0,
    steps: int = 0,
) -> LocalUpdate:
    """SCAFFOLD in one vector, for unbiased compressors (Huang, Li and Li 2024, SCALLION).

    The server broadcasts (x, c); each client remembers its own c_m, all 0 at first, takes K
    steps w <- w - eta (grad f_m(w; batch) - c_m + c) from w = x, and sends of the mean g_m
    of their K gradients, which for SGD is (x - w) / (K eta) + c_m - c,

        delta_m = alpha (g_m - c_m).

    Of the delta_m^ that the server makes of the messages, and with S / N the share of all
    examples whose clients it heard,

        c_m <- c_m + delta_m^,   x <- x - gamma (mean delta_m^ + c),
        c <- c + S / N mean delta_m^,

    its optimizer stepping against mean delta_m^ + c: for SGD gamma is the server's step,
    K eta for averages of models. With alpha = 1 and floats that is SCAFFOLD; an unbiased link
    of relative variance omega bears alpha = 1 / (1 + omega). The update has 0 in place of a
    change of c: `direct(halved(q))` sends d numbers up, while 2 d come down.

    Of the paper the abstract could be read; the equations in the public code of SA-PEF's
    authors, who compare with it (Dawitkiros/SA-PEF, client and strategy), whose x steps by
    gamma as here.

    Args:
        loss, optimizer, batch, epochs, steps: see `scaffold`.
        alpha: in (0, 1]; ValueError otherwise.

    Returns:
        What is broadcast is a `Controlled`. The loss is the mean of f_m over the steps.
    """
    work = batches("scallion", loss, optimizer, batch, epochs, steps)
    _require_share("scallion", "alpha", alpha)

    def update(key, params, shard, own):
        mean_loss, gradient = gradients(loss, optimizer, work, key, params, own, shard)
        delta = jax.tree.map(lambda g, c: alpha * (g - c), gradient, own)
        return mean_loss, unchanged(delta), own

    def init(params):
        return jax.tree.map(jnp.zeros_like, params.control)

    def settle(own, heard):
        return jax.tree.map(jnp.add, own, heard.model)

    return _controlled(update, init, settle, work)


def scafcom(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    beta: float,
    epochs: int = 0,
    steps: int = 0,
) -> LocalUpdate:
    """SCAFFOLD in one vector, for biased compressors (Huang, Li and Li 2024, SCAFCOM).

    As `scallion`, but that a client sends what a moving average v_m of its gradients, 0 at
    first, is ahead of c_m:

        v_m <- (1 - beta) v_m + beta g_m,   delta_m = v_m - c_m,

    so that what a biased link such as `direct(halved(top_k(0.01, d // 2)))` leaves out is
    there again in the next round. v_m moves when the message arrives. Read where SCALLION
    was; beta is 0.2 there.

    Args:
        loss, optimizer, batch, epochs, steps: see `scaffold`.
        beta: in (0, 1]; ValueError otherwise. 1 is SCALLION with alpha = 1.

    Returns:
        As `scallion`.
    """
    work = batches("scafcom", loss, optimizer, batch, epochs, steps)
    _require_share("scafcom", "beta", beta)

    def update(key, params, shard, own):
        control, average = own
        found, gradient = gradients(loss, optimizer, work, key, params, control, shard)
        average = jax.tree.map(
            lambda v, g: (1.0 - beta) * v + beta * g, average, gradient
        )
        delta = jax.tree.map(jnp.subtract, average, control)
        return found, unchanged(delta), Averaged(control, average)

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params.control)
        return Averaged(zeros, zeros)

    def settle(own, heard):
        moved = jax.tree.map(jnp.add, own.control, heard.model)
        return own._replace(control=moved)

    return _controlled(update, init, settle, work)


def gradients(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    work: Batches,
    key: jax.Array,
    params: Controlled,
    own: Any,
    shard: Any,
) -> tuple[jax.Array, Any]:
    """(mean loss f32[], mean gradient) of the steps that c - c_m corrects.

    Args:
        loss, optimizer, work, key, shard: see `descended`.
        params: (x, c) as they were broadcast.
        own: c_m.
    """
    by = jax.tree.map(jnp.subtract, params.control, own)
    corrected = optax.chain(summed(), shifted(by), optimizer)
    found = descended(loss, corrected, work, key, params.model, shard)
    count = jnp.maximum(work.steps_of(shard.sizes), 1)
    return found.loss, jax.tree.map(lambda t: t / count, found.state[0].total)


def unchanged(delta: Any) -> Controlled:
    """The update delta, and 0 for c, which the server moves by delta as well."""
    return Controlled(delta, jax.tree.map(jnp.zeros_like, delta))


def along_control(
    optimizer: optax.GradientTransformation,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer against mean delta + c, and c <- c + heard mean delta, of f32[2 d]."""
    of_model = optax.with_extra_args_support(optimizer)

    def init(params):
        return of_model.init(jnp.split(params, 2)[0])

    def update(updates, state, params, *, heard, **others):
        delta, _ = jnp.split(updates, 2)
        model, control = jnp.split(params, 2)
        moved, state = of_model.update(delta + control, state, model, **others)
        # pyrefly: ignore[bad-argument-type] of one vector
        return jnp.concatenate([moved, heard * delta]), state

    # pyrefly: ignore[bad-argument-type] `heard` is always told, see `serve`
    return optax.GradientTransformationExtraArgs(init, update)


def _controlled(
    update: Callable[..., tuple[jax.Array, Any, Any]],
    init: Callable[[Any], Any],
    settle: Callable[[Any, Any], Any],
    work: Batches,
) -> LocalUpdate:
    return LocalUpdate(
        update,
        init,
        **work._asdict(),
        settle=settle,
        broadcast=lambda model: unchanged(model),
        model=lambda params: params.model,
        server=along_control,
    )


def _require_share(where: str, name: str, share: float) -> None:
    if not 0.0 < single(share) <= 1.0:
        raise ValueError(f"{where}: {name} must be in (0, 1], got {name}={share}")
