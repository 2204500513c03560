"""Resource blocks to clients, by the Hungarian method.

The paper's "Hamming algorithm" is the Hungarian one: the seed of its section on
resources is Chen et al. (2021), who solve the uplink assignment with it.
"""

import jax
import jax.numpy as jnp
import optax

from flq_jax.wireless.scheduling import highest

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


def assign_blocks(
    weights: jax.Array, feasible: jax.Array, key: jax.Array | None = None
) -> jax.Array:
    """The assignment of at most one block to a client, one client to a block, with

        min sum of the weights of the pairs,

    where a pair may be left out. Only feasible pairs of negative weight are made, so a
    client without one stays without a block.

    Args:
        weights: f[m, r].
        feasible: bool[m, r].
        key: draws the order in which clients are taken, for of several optima the method
            finds the one that serves the first. None takes them by index.

    Returns:
        i32[m], the block of each client, `NO_BLOCK` for none.
    """
    m = weights.shape[0]
    order = jnp.arange(m) if key is None else jax.random.permutation(key, m)
    cost = jnp.where(feasible, jnp.minimum(weights, 0.0), 0.0)[order]
    # Leaving a pair out is making it at cost 0, so a full matching loses nothing.
    clients, blocks = optax.assignment.hungarian_algorithm(cost)
    blocks = jnp.where(cost[clients, blocks] < 0.0, blocks, NO_BLOCK)
    none = jnp.full(m, NO_BLOCK, jnp.int32)
    return none.at[order[clients]].set(blocks.astype(jnp.int32))


def random_blocks(key: jax.Array, selected: jax.Array, num_blocks: int) -> jax.Array:
    """Distinct random blocks for the selected, the baseline of Chen et al. (2021).

    Args:
        key: random key.
        selected: bool[m]; if more than num_blocks, those who go without are drawn too.
        num_blocks: r, 1 or more.

    Returns:
        i32[m].
    """
    key_lots = jax.random.fold_in(
        key, num_blocks
    )  # leaves the blocks' own stream alone
    blocks = jax.random.permutation(key, num_blocks).astype(jnp.int32)
    served = highest(key_lots, jnp.zeros(selected.shape), selected, num_blocks)
    place = jnp.maximum(jnp.cumsum(served) - 1, 0)
    return jnp.where(served, blocks[place], NO_BLOCK)


def on_block(values: jax.Array, block: jax.Array) -> jax.Array:
    """Each client's entry on its block: f[m, r], i32[m] -> f[m].

    A client without a block gets the first one's: mask by block != NO_BLOCK.
    """
    column = jnp.maximum(block, 0)[:, None]
    return jnp.take_along_axis(values, column, axis=1)[:, 0]
