"""FedBiF: weights of a few bits, of which a round trains one."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_integer
from flq_jax.federated.descent import batches, descended
from flq_jax.federated.fedluar import as_shapes, require_shapes
from flq_jax.federated.local import LocalUpdate, Loss
from flq_jax.quantizers.base import require_bits
from flq_jax.quantizers.twos_complement import grid_codes, grid_scale

SPREAD = 1e-3  # of the virtual weights at first, times the bit's worth


class Bitwise(NamedTuple):
    """A model on its grid, and which bit of its weights is trained.

    Attributes:
        model: the model's params, each tensor of multiples of its scale.
        position: p, of the bit that is worth 2^p, f32[].
    """

    model: Any
    position: jax.Array


class Frozen(NamedTuple):
    """A tensor without the bit that is trained.

    Attributes:
        rest: the weights with a 0 in its place.
        bit: what it was, 0 or 1 as f32.
        worth: what a 1 adds, 2^p scales, f32[].
    """

    rest: jax.Array
    bit: jax.Array
    worth: jax.Array


def frozen(x: jax.Array, position: jax.Array, bits: int) -> Frozen:
    """The parts of a tensor that lies on a grid of `bits`, see `twos_complement`.

    Args:
        x: f32[...].
        position: p, 0 to bits - 1, f32[].
        bits: b.
    """
    scale, power = grid_scale(x, bits), jnp.round(2.0**position)
    codes = grid_codes(x, scale, bits) + 2.0 ** (bits - 1)
    bit = jnp.mod(jnp.floor(codes / power), 2.0)
    rest = scale * (codes - bit * power - 2.0 ** (bits - 1))
    return Frozen(rest, bit, scale * power)


def added(virtual: jax.Array, worth: jax.Array) -> jax.Array:
    """worth where v > 0, else 0; its gradient is that of v."""
    bit = (virtual > 0.0).astype(virtual.dtype)
    return virtual + jax.lax.stop_gradient(bit * worth - virtual)


def bit_training(
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch: int,
    epochs: int,
    bits: int,
    shapes: Sequence[tuple[int, ...]],
    *,
    seed: int = 0,
) -> LocalUpdate:
    """Epochs that train one bit of each weight (FedBiF, Li et al. 2025).

    The server's weights are of b bits, see `twos_complement`. In round t = 0, 1, ... a client
    freezes all bits but that worth 2^p, p = b - 1 - (t mod b), and trains virtual weights v in

        w = rest + [v > 0] 2^p a,   the gradient at w being taken for that at v,

    from |v| uniform in 2^p (0, 10^-3), with a sign as the bit is. It sends the bits, 0 or 1:
    `direct(zero_one())`. The server's mean of all clients' weights is
    rest + 2^p a mean [v > 0], which it rounds for the next round, with u uniform in [0, 1) and
    R = max_i |w_i|, as

        k_i = clip(floor((w_i + R) / a + u_i), 0, 2^b - 1),   w_i <- a k_i - R,
        a = R / 2^(b-1).

    Its optimizer is handed w - mean for a gradient: averages are `optax.sgd(1.0)`. Broadcasts
    on the same grid, `compressed(direct(segmented(twos_complement(b), sizes)))`, lose nothing.

    Read in the authors' code as BiSARC's repository has it (MrHanson7777777/BiSARC,
    FedBiF_Baseline: plugin/bif.py, train/server.py), whose layers have no biases. Here every
    tensor is of bits, and one of zeros has no scale and stays: models without biases, such as
    `MLP(use_bias=False)`, that start from random weights. R never grows, and a largest weight
    above 0 loses a in each round: the grid ends at R - a.

    Args:
        loss: (params, inputs, labels, weights, key) -> f32[], see `Batch`.
        optimizer: of v; its state starts anew each round.
        batch, epochs: see `local_epochs`.
        bits: b, 2 to 8; ValueError otherwise.
        shapes: of the model's tensors, in the order of its leaves; ValueError otherwise, or
            from a model of others.
        seed: of the server's rounding, 0 or more; ValueError otherwise.

    Returns:
        What is broadcast is a `Bitwise`. The loss is the mean over the steps, the update the
        bits as f32, and 0.
    """
    require_integer("bit_training", "epochs", epochs, 1)
    require_bits("bit_training", bits, low=2)
    require_integer("bit_training", "seed", seed, 0)
    shapes = as_shapes("bit_training", shapes)
    work = batches("bit_training", loss, optimizer, batch, epochs, 0)

    def parts(params):
        return jax.tree.map(lambda x: frozen(x, params.position, bits), params.model)

    def update(key, params, shard, memory):
        power = 2.0**params.position
        held = parts(params)

        def of_virtual(virtual, *examples):
            weights = jax.tree.map(
                lambda v, part: part.rest + added(v, part.worth), virtual, held
            )
            return loss(weights, *examples)

        leaves, tree = jax.tree.flatten(params.model)
        keys = jax.random.split(jax.random.fold_in(key, epochs), len(leaves))
        size = tree.unflatten(
            [jax.random.uniform(k, x.shape) for k, x in zip(keys, leaves)]
        )
        virtual = jax.tree.map(
            lambda u, part: SPREAD * power * u * (2.0 * part.bit - 1.0), size, held
        )
        found = descended(of_virtual, optimizer, work, key, virtual, shard)
        trained = jax.tree.map(jnp.subtract, virtual, found.moved)
        sent = jax.tree.map(lambda v: (v > 0.0).astype(jnp.float32), trained)
        return found.loss, Bitwise(sent, jnp.float32(0.0)), memory

    def broadcast(model):
        require_shapes("bit_training", shapes, model)

        def nearest(x):
            scale = grid_scale(x, bits)
            return scale * grid_codes(x, scale, bits)

        return Bitwise(jax.tree.map(nearest, model), jnp.float32(bits - 1))

    return LocalUpdate(
        update,
        batch=batch,
        epochs=epochs,
        broadcast=broadcast,
        model=lambda params: params.model,
        server=lambda optimizer: rounding(optimizer, bits, shapes, seed=seed),
    )


def rounding(
    optimizer: optax.GradientTransformation,
    bits: int,
    shapes: Sequence[tuple[int, ...]],
    *,
    seed: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer from weights of bits towards a mean of bits, rounded; of (w, p) as one."""
    of_model = optax.with_extra_args_support(optimizer)
    ends = list(accumulate(map(prod, shapes)))
    root = jax.random.key(seed)

    def init(params):
        return of_model.init(params[:-1])

    def update(updates, state, params, *, round_index, **others):
        model, position = params[:-1], params[-1]
        away = []
        pairs = zip(jnp.split(model, ends[:-1]), jnp.split(updates[:-1], ends[:-1]))
        for x, mean in pairs:
            part = frozen(x, position, bits)
            away.append(x - (part.rest + mean * part.worth))
        step, state = of_model.update(
            jnp.concatenate(away), state, model, round_index=round_index, **others
        )
        keys = jax.random.split(jax.random.fold_in(root, round_index), len(ends))
        moved = jnp.split(model + step, ends[:-1])
        new = [rounded(key, x, bits) for key, x in zip(keys, moved)]
        following = jnp.mod(position - 1.0, bits) - position
        return jnp.concatenate([jnp.concatenate(new) - model, following[None]]), state

    # pyrefly: ignore[bad-argument-type] `round_index` is always told, see `serve`
    return optax.GradientTransformationExtraArgs(init, update)


def rounded(key: jax.Array, x: jax.Array, bits: int) -> jax.Array:
    """a k - R with k = clip(floor((x + R) / a + u), 0, 2^b - 1), f32 as x."""
    radius = jnp.max(jnp.abs(x))
    scale = radius / 2 ** (bits - 1)
    position = (x + radius) / jnp.where(scale > 0.0, scale, 1.0)
    codes = jnp.floor(position + jax.random.uniform(key, x.shape))
    return scale * (jnp.clip(codes, 0.0, 2.0**bits - 1.0) - 2 ** (bits - 1))
