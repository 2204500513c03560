"""Local work whose outcome is binary: clients train through the rounding."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.federated.descent import batches
from flq_jax.federated.local import LocalUpdate, Loss, stateless
from flq_jax.single import single

LEAST, LARGEST = 5e-4, 5e-2  # of alpha


@jax.custom_vjp
def binarize(u: jax.Array, alpha: jax.Array, dice: jax.Array) -> jax.Array:
    """alpha (2 b - 1), b ~ Bernoulli(clip((u / alpha + 1) / 2, 0, 1)), f32[...].

    With G the gradient at the outcome, that at u is G where |u| <= alpha and 0 beyond, and
    that at alpha is the sum of G times 1 where u > alpha, -1 where u < -alpha, and
    2 b - 1 - u / alpha between (Li et al. 2024, FedBAT).

    Args:
        u: f32[...].
        alpha: above 0, f32[].
        dice: uniform on [0, 1), f32[...].
    """
    return _binarized(u, alpha, dice)[0]


def _binarized(u, alpha, dice):
    ratio = u / alpha
    sign = 2.0 * jnp.clip(jnp.floor(0.5 * (ratio + 1.0) + dice), 0.0, 1.0) - 1.0
    return alpha * sign, (ratio, sign)


def _pulled_back(kept, g):
    ratio, sign = kept
    slope = jnp.where(jnp.abs(ratio) <= 1.0, sign - ratio, jnp.sign(ratio))
    through = jnp.where(jnp.abs(ratio) <= 1.0, g, 0.0)
    return through, jnp.sum(slope * g), jnp.zeros_like(g)


binarize.defvjp(_binarized, _pulled_back)


def binarized_epochs(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    epochs: int,
    *,
    rho: float = 6.0,
    plain: float = 0.5,
) -> LocalUpdate:
    """Epochs of minibatches that train a binary update (FedBAT, Li et al. 2024).

    A client trains u in the model theta + u for a share `plain` of its steps, then in
    theta + B(u), with B of each tensor the stochastic `binarize` at

        alpha = clip(alpha_0 exp(rho a), 5e-4, 5e-2),   alpha_0 = mean |u| at the change,

    where a, from 0, is trained like u by the gradients that `binarize` passes on. Its
    update is B(u) of the last u: two values +-alpha a tensor, which `segmented(sign())`
    sends as they are, in one bit a coordinate and 32 a tensor.

    Read in the authors' public code (Leopold1423/fedbat-icml24, model/bat.py and
    train/trainer.py; its runs have rho = 6, plain = 1/2), which binarizes the weights of
    layers that have no biases; here every tensor is.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: of u and a; its state starts anew each round.
        batch, epochs: see `local_epochs`.
        rho: how fast alpha learns, 0 or more and finite; ValueError otherwise.
        plain: the share of plain steps, in [0, 1); ValueError otherwise.

    Returns:
        The loss is the mean over the steps, the update params - local params.
    """
    require_integer("binarized_epochs", "epochs", epochs, 1)
    work = batches("binarized_epochs", loss, optimizer, batch, epochs, 0)
    if not 0.0 <= single(rho) < math.inf or not 0.0 <= single(plain) < 1.0:
        raise ValueError(
            "binarized_epochs: rho must be finite, 0 or more, and plain in [0, 1), got "
            f"{rho=} {plain=}"
        )

    def alpha(start, a):
        return jnp.clip(start * jnp.exp(rho * a), LEAST, LARGEST)

    def binary(key, u, a, start):
        leaves, tree = jax.tree.flatten(u)
        keys = jax.random.split(key, len(leaves))
        dice = tree.unflatten(
            [jax.random.uniform(k, leaf.shape) for k, leaf in zip(keys, leaves)]
        )
        return jax.tree.map(binarize, u, jax.tree.map(alpha, start, a), dice)

    def update(key, params, shard):
        steps = work.steps_of(shard.sizes)
        changes = jnp.floor(plain * steps)

        def step(carry, examples, key):
            (u, a), start, opt_state, total, done = carry
            noise, dice = jax.random.split(key)
            now = jax.tree.map(lambda leaf: jnp.mean(jnp.abs(leaf)), u)
            start = jax.tree.map(partial(jnp.where, done == changes), now, start)

            def lost(trained):
                u, a = trained
                rounded = binary(dice, u, a, start)
                chosen = jax.tree.map(partial(jnp.where, done >= changes), rounded, u)
                return loss(jax.tree.map(jnp.add, params, chosen), *examples, noise)

            value, grads = jax.value_and_grad(lost)((u, a))
            updates, opt_state = optimizer.update(grads, opt_state, (u, a))
            trained = optax.apply_updates((u, a), updates)
            return trained, start, opt_state, total + value, done + 1

        u = jax.tree.map(jnp.zeros_like, params)
        a = jax.tree.map(lambda leaf: jnp.float32(0.0), params)
        start = (u, a), a, optimizer.init((u, a)), jnp.float32(0.0), jnp.int32(0)
        (u, a), begun, _, total, _ = work.fold(step, start, key, shard)
        local = binary(jax.random.fold_in(key, epochs), u, a, begun)
        mean = total / jnp.maximum(steps, 1)
        return mean, jax.tree.map(jnp.negative, local)

    return stateless(update, batch=batch, epochs=epochs)
