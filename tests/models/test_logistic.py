import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import Bits, Logistic


@pytest.mark.parametrize("use_bias, count", [(True, 7850), (False, 7840)])
def test_number_of_parameters(key, use_bias, count):
    params = Logistic(use_bias=use_bias).init(key, jnp.zeros((1, 28, 28)))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_logits_are_affine_in_the_pixels():
    kernel = jnp.array([[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.0, 1.0]])
    params = {"output": {"kernel": kernel, "bias": jnp.array([0.5, -0.5])}}
    images = jnp.array([[[1.0, 0.0], [0.5, 0.25]], [[0.0, 0.0], [0.0, 0.0]]])
    logits = Logistic(num_classes=2).apply({"params": params}, images)
    # 1 + 3/2 + 1 + 1/2 = 4 and 1/4 - 1/2 = -1/4; without pixels the bias.
    np.testing.assert_allclose(logits, [[4.0, -0.25], [0.5, -0.5]])


def test_bits_reach_the_layer(key):
    images = jax.random.uniform(jax.random.fold_in(key, 1), (3, 28, 28))
    model = Logistic(bits=Bits(weights=1, activations=1))
    variables = model.init(key, images)
    pixels = np.round(np.asarray(images).reshape(3, 784))
    kernel = np.asarray(variables["params"]["output"]["kernel"])
    binary = np.abs(kernel).mean() * np.where(kernel >= 0, 1, -1)
    np.testing.assert_allclose(
        model.apply(variables, images), pixels @ binary.T, atol=1e-4
    )
