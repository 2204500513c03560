"""DrJAX with a compressed mean in the place of `drjax.reduce_mean`.

    pip install drjax && python examples/drjax_mean.py

`drjax.map_fn` is a `vmap` over the placement, whose axis has no name that a collective could
be asked for; so the mean is taken by its two halves: `send` is mapped, and `receive` runs
where there is no placement, on messages that all devices have. `gathered` is the recipe.
"""

from collections.abc import Callable
from typing import Any

import drjax
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import flq_jax as flq

REPLICAS, STEPS, D = 4, 5, 1000


def gathered(
    mean: flq.CompressedMean, mesh: Mesh, key: jax.Array, state: flq.MeanState, trees
) -> tuple[Any, flq.MeanState]:
    """(the mean of placed trees, the state): what `drjax.reduce_mean(trees)` would give."""

    def send(replica, sender, tree):
        return mean.send(key, replica, sender, state.round_index, tree)

    replicas = jnp.arange(mean.replicas)
    payloads, senders = drjax.map_fn(send, (replicas, state.senders, trees))
    everywhere = NamedSharding(mesh, PartitionSpec())
    payloads = jax.lax.with_sharding_constraint(payloads, everywhere)
    like = jax.eval_shape(lambda trees: jax.tree.map(lambda x: x[0], trees), trees)
    found, receivers = mean.receive(
        key, state.receivers, state.round_index, payloads, like
    )
    return found, flq.MeanState(senders, receivers, state.round_index + 1)


def rounds_of(mean: flq.CompressedMean, mesh: Mesh) -> Callable[..., Any]:
    """A round of local gradient descent to each replica's own target, jitted."""

    @drjax.program(replicas=mean.replicas)
    def one_round(key, state, params, targets):
        def came(params, target):
            local = params
            for _ in range(STEPS):
                local = local - 0.1 * (local - target)
            return params - local

        updates = drjax.map_fn(came, (drjax.broadcast(params), targets))
        update, state = gathered(mean, mesh, key, state, updates)
        return params - update, state

    return jax.jit(one_round)


def main() -> None:
    jax.config.update("jax_num_cpu_devices", REPLICAS)
    mesh = Mesh(np.array(jax.devices()), ("replicas",))
    mean = flq.compressed_mean(flq.error_feedback(flq.sign()), "replicas", REPLICAS)
    params, state = jnp.zeros(D), mean.init(jnp.zeros(D))
    targets = 1.0 + jax.random.normal(jax.random.key(0), (REPLICAS, D))
    wanted = jnp.mean(targets, 0)
    with jax.set_mesh(mesh):
        one_round = rounds_of(mean, mesh)
        for k in range(30):
            params, state = one_round(jax.random.key(k), state, params, targets)
    left = jnp.linalg.norm(params - wanted) / jnp.linalg.norm(wanted)
    print(f"{mean.layout(params).num_bits} bits a round and replica, error {left:.3f}")


if __name__ == "__main__":
    main()
