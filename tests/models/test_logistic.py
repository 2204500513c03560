import jax
import numpy as np
import pytest

from flq_jax.models import Bits, Logistic


@pytest.mark.parametrize("use_bias, count", [(True, 7850), (False, 7840)])
def test_number_of_parameters(key, use_bias, count):
    init = Logistic(use_bias=use_bias).init
    params = jax.eval_shape(init, key, np.zeros((1, 28, 28), np.float32))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_logits_are_affine_in_the_pixels():
    kernel = np.float32([[1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0.0, 1.0]])
    params = {"output": {"kernel": kernel, "bias": np.float32([0.5, -0.5])}}
    images = np.float32([[[1.0, 0.0], [0.5, 0.25]], [[0.0, 0.0], [0.0, 0.0]]])
    logits = jax.jit(Logistic(num_classes=2).apply)({"params": params}, images)
    # 1 + 3/2 + 1 + 1/2 = 4 and 1/4 - 1/2 = -1/4; without pixels the bias.
    np.testing.assert_allclose(logits, [[4.0, -0.25], [0.5, -0.5]])


def test_bits_reach_the_layer(drawn):
    images = np.random.default_rng(1).random((3, 28, 28), np.float32)
    model = Logistic(bits=Bits(weights=1, activations=1))
    variables = drawn(model, images)
    variables["params"]["output"]["bias"] = np.zeros(10, np.float32)
    pixels = np.round(images.reshape(3, 784))
    kernel = np.asarray(variables["params"]["output"]["kernel"])
    binary = np.abs(kernel).mean() * np.where(kernel >= 0, 1, -1)
    logits = jax.jit(model.apply)(variables, images)
    np.testing.assert_allclose(logits, pixels @ binary.T, atol=1e-4)
