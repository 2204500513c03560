"""What models of tokens begin with."""

import flax.linen as nn
import jax
import jax.numpy as jnp


def embedded(
    model: nn.Module, tokens: jax.Array, vocabulary: int, width: int
) -> jax.Array:
    """The tokens' rows of a table "embedding", f32[vocabulary, width].

    Args:
        model: which is being called; of its class the error speaks.
        tokens: i32[b, t]; ValueError unless they are integers of two axes.
        vocabulary: number of tokens. Others have the row NaN.
        width: of a row.

    Returns:
        f32[b, t, width].
    """
    if tokens.ndim != 2 or not jnp.issubdtype(tokens.dtype, jnp.integer):
        raise ValueError(
            f"{type(model).__name__}: inputs must be integers [b, t], got "
            f"{tokens.dtype}{[*tokens.shape]}"
        )
    return nn.Embed(vocabulary, width, name="embedding")(tokens)
