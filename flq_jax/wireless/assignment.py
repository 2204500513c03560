"""Resource blocks to clients, by the Hungarian method.

The paper's "Hamming algorithm" is the Hungarian one: the seed of its section on
resources is Chen et al. (2021), who solve the uplink assignment with it.
"""

import jax
import jax.numpy as jnp
import optax

NO_BLOCK = -1


def loss_weights(num_examples: jax.Array, packet_error: jax.Array) -> jax.Array:
    """psi_(n,i) = K_n (q_(n,i) - 1): minus the examples that are expected to arrive.

    Their sum over the assignment is what the radio adds to the gap of convergence
    (Chen et al. 2021, Eqs. 21-22).

    Args:
        num_examples: K, f[m].
        packet_error: q, f[m, r], in [0, 1].

    Returns:
        f[m, r], 0 or less.
    """
    return num_examples[:, None] * (packet_error - 1.0)


def assign_blocks(weights: jax.Array, feasible: jax.Array) -> jax.Array:
    """The assignment of at most one block to a client, one client to a block, with

        min sum of the weights of the pairs,

    where a pair may be left out. Only feasible pairs of negative weight are made, so a
    client without one stays without a block.

    Args:
        weights: f[m, r].
        feasible: bool[m, r].

    Returns:
        i32[m], the block of each client, `NO_BLOCK` for none.
    """
    cost = jnp.where(feasible, jnp.minimum(weights, 0.0), 0.0)
    # Leaving a pair out is making it at cost 0, so a full matching loses nothing.
    clients, blocks = optax.assignment.hungarian_algorithm(cost)
    blocks = jnp.where(cost[clients, blocks] < 0.0, blocks, NO_BLOCK)
    none = jnp.full(cost.shape[0], NO_BLOCK, jnp.int32)
    return none.at[clients].set(blocks.astype(jnp.int32))


def random_blocks(key: jax.Array, selected: jax.Array, num_blocks: int) -> jax.Array:
    """Distinct random blocks for the selected, the baseline of Chen et al. (2021).

    Args:
        key: random key.
        selected: bool[m]; if more than num_blocks, the surplus of highest index gets
            `NO_BLOCK`.
        num_blocks: r, 1 or more.

    Returns:
        i32[m].
    """
    blocks = jax.random.permutation(key, num_blocks).astype(jnp.int32)
    place = jnp.cumsum(selected) - 1
    served = selected & (place < num_blocks)
    return jnp.where(served, blocks[jnp.clip(place, 0, num_blocks - 1)], NO_BLOCK)


def on_block(values: jax.Array, block: jax.Array) -> jax.Array:
    """Each client's entry on its block: f[m, r], i32[m] -> f[m].

    A client without a block gets the first one's: mask by block != NO_BLOCK.
    """
    column = jnp.maximum(block, 0)[:, None]
    return jnp.take_along_axis(values, column, axis=1)[:, 0]
