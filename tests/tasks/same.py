"""Models whose outputs are their inputs, times the one parameter."""

import flax.linen as nn
import jax.numpy as jnp

PARAMS = {"scale": jnp.float32(1.0)}


class Same(nn.Module):
    """f32[...] -> scale f32[...]."""

    @nn.compact
    def __call__(self, x):
        return self.param("scale", lambda key: jnp.float32(1.0)) * x
