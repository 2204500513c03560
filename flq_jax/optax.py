"""Compression as a transformation of optax, between a gradient and its optimizer."""

import jax
import optax

from flq_jax import keys
from flq_jax.arguments import require_integer
from flq_jax.collectives import Axis, compressed_mean
from flq_jax.compressors import Compressor
from flq_jax.quantizers import Quantizer


def compressed(
    link: Compressor | Quantizer,
    axis: Axis | None = None,
    replicas: int = 1,
    *,
    seed: int = 0,
) -> optax.GradientTransformation:
    """Replaces updates by the mean over replicas of what a link makes of them.

        optax.chain(compressed(error_feedback(sign()), "data", 8), optax.adamw(rate))

    takes each replica's own gradient, inside `jax.shard_map`, and every replica steps by
    the same mean; see `collectives.compressed_mean`. Its state is a `MeanState`, and
    `collectives.state_specs(opt_state, axis)` tells where each part of the optimizer's
    state lies. Without an axis the update is what a receiver would decode, on one device:
    compression in the training loop, with nothing sent.

    Args:
        link, axis, replicas: as in `compressed_mean`, which raises for them.
        seed: of the draws of random links, with the number of the mean, 0 to 2^31 - 1;
            ValueError otherwise.
    """
    require_integer("compressed", "seed", seed, 0)
    mean = compressed_mean(link, axis, replicas)

    def init(params):
        return mean.init(params)

    def update(updates, state, params=None):
        del params
        key = jax.random.fold_in(keys.seed_key(seed), state.round_index)
        updates, state, _ = mean.apply(key, state, updates)
        return updates, state

    return optax.GradientTransformation(init, update)
