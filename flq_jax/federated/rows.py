"""Some clients' rows among those of all, leading axes [s] and [m]."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp


def per_client(key: jax.Array, who: jax.Array) -> jax.Array:
    """A key for each client, the same whoever else takes part."""
    return jax.vmap(lambda client: jax.random.fold_in(key, client))(who)


def turns(who: jax.Array) -> jax.Array:
    """The turn of each of the asked, i32[s], see `Broadcast`."""
    return jnp.arange(who.shape[0])


def take(tree: Any, who: jax.Array, clients: int) -> Any:
    """The rows of these clients; all of them need no copy."""
    if who.shape[0] == clients:
        return tree
    return jax.tree.map(lambda leaf: leaf[who], tree)


def put(tree: Any, who: jax.Array, rows: Any, clients: int) -> Any:
    """The tree with these clients' rows replaced."""
    if who.shape[0] == clients:
        return rows
    return jax.tree.map(lambda leaf, new: leaf.at[who].set(new), tree, rows)


def among_all(rows: Any, who: jax.Array, clients: int) -> Any:
    """These clients' rows among those of all, the others' being zeros."""
    zeros = jax.tree.map(
        lambda leaf: jnp.zeros((clients, *leaf.shape[1:]), leaf.dtype), rows
    )
    return put(zeros, who, rows, clients)


def select(condition: jax.Array, new: Any, old: Any) -> Any:
    """`new` where the condition, bool[], holds, else `old`."""
    return jax.tree.map(partial(jnp.where, condition), new, old)
