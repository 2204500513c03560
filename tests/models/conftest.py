import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.fixture
def drawn():
    """(model, inputs) -> variables of the model, drawn without compiling its init."""

    def draw(model, x):
        rng = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), x)
        return jax.tree.map(
            lambda leaf: jnp.asarray(0.2 * rng.standard_normal(leaf.shape), leaf.dtype),
            shapes,
        )

    return draw
