"""How exactly a model's products are taken while it learns: as JAX's option says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerators import lowered

from flq_jax import models

IMAGE = jax.ShapeDtypeStruct((2, 8, 8), np.float32)
TEXT = jax.ShapeDtypeStruct((2, 4), np.int32)
MODELS = {
    "softmax": (models.Logistic(), IMAGE),
    "network": (models.MLP((3,)), IMAGE),
    "convolutions": (models.CNN((2, 32), hidden=(3,)), IMAGE),
    "recurrent": (models.CharLSTM(5, hidden=3, layers=1), TEXT),
    "attention": (models.Transformer(5, 4, width=4, heads=2, layers=1), TEXT),
}


def products(model, inputs, platform):
    """Lines of the gradient's program that multiply."""
    params = jax.eval_shape(model.init, jax.random.key(0), inputs)

    def gradient(params, inputs):
        return jax.grad(lambda p: jnp.sum(model.apply(p, inputs) ** 2))(params)

    text = lowered(gradient, params, inputs, platform=platform)
    found = ("stablehlo.dot_general", "stablehlo.convolution")
    return [line for line in text.splitlines() if any(op in line for op in found)]


@pytest.mark.parametrize("platform", ["cuda", "cpu"])
@pytest.mark.parametrize("name", MODELS)
def test_the_option_reaches_every_product(name, platform):
    # Forward, and backward with respect to weights, at least.
    assert len(unless_told := products(*MODELS[name], platform)) >= 2
    assert not any("HIGHEST" in line for line in unless_told)
    with jax.default_matmul_precision("float32"):
        exact = products(*MODELS[name], platform)
    assert len(exact) == len(unless_told)
    assert all(line.count("HIGHEST") == 2 for line in exact)
