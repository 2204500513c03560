"""What a run is judged by while it goes on."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from flq_jax import federated, keys, models
from flq_jax.data import clients
from flq_jax.federated import Federation

AT_ONCE = 1000  # examples


def evaluation(
    federation: Federation, model: nn.Module, loss: federated.Loss, mesh: Mesh
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """The train loss and the test predictions of the model as the clients hear it.

    Examples are looked at in parts, for the windows of a convolution over a whole data
    set would fill the memory.
    """

    def hits(params, test):
        def correct(shard):
            inputs, labels, weights = federated.whole(shard)
            labels = jnp.where(weights > 0.0, labels, -1)  # no class
            return models.num_correct(model, params, inputs, labels)

        return jnp.sum(jax.lax.map(correct, test))

    if model.packed:  # XLA cannot spread a TPU's own kernels over devices
        hits = jax.shard_map(
            hits, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False
        )

    def evaluate(root, state, round_index, data, inputs, labels):
        key = keys.init_key(root)
        sent = federated.heard(
            federation.downlink, key, state.params, state.downlink, round_index
        )
        params = federation.unravel(sent.model)

        words = jax.random.key_data(jax.random.clone(key))

        def local_loss(shard):
            # On several devices both sides of the choice below are computed, and JAX's
            # checker of keys takes choosing between two for a use.
            again = jax.random.wrap_key_data(words, impl=jax.random.key_impl(key))
            return loss(params, *federated.whole(shard), again)

        def part_losses(shards):
            """Nothing is computed for a part that is padding alone."""
            some = jnp.any(shards.sizes > 0)
            return jax.lax.cond(some, jax.vmap(local_loss), no_losses, shards)

        shards = clients.divided(data, AT_ONCE)
        losses = federated.in_groups(1, mesh)(part_losses)(shards)
        test = clients.divided(clients.pooled(inputs, labels), AT_ONCE)
        return shards.sizes / jnp.sum(shards.sizes) @ losses, hits(params, test)

    def no_losses(shards):
        return jnp.zeros(shards.sizes.shape)

    return evaluate
