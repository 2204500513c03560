"""A tree of floats as the one vector that a link takes, and back."""

from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp


def flat(tree: Any) -> jax.Array:
    """The leaves one after another, f32[d]."""
    leaves = [jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(tree)]
    return jnp.concatenate(leaves)


def like(flat: jax.Array, tree: Any) -> Any:
    """f32[d] as a tree of these shapes and dtypes."""
    leaves, structure = jax.tree.flatten(shapes(tree))
    ends = list(accumulate(leaf.size for leaf in leaves))
    parts = [
        part.reshape(leaf.shape).astype(leaf.dtype)
        for part, leaf in zip(jnp.split(flat, ends[:-1]), leaves)
    ]
    return jax.tree.unflatten(structure, parts)


def size(tree: Any) -> int:
    """d, how many numbers the leaves have together."""
    leaves = jax.tree_util.tree_leaves_with_path(shapes(tree))
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            raise TypeError(
                f"compressed_mean: leaves must be floats, got {leaf.dtype} at "
                f"tree{jax.tree_util.keystr(path)}"
            )
    d = sum(leaf.size for _, leaf in leaves)
    if not d:
        raise ValueError("compressed_mean: the tree must have numbers, got none")
    return d


def shapes(tree: Any) -> Any:
    """Shapes and dtypes of the leaves, numbers of Python among them."""
    return jax.eval_shape(lambda tree: tree, tree)
