import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import CNN, Bits, QuantConv, QuantDense
from flq_jax.models.convolve import max_pool


def test_layers_follow_one_another(drawn):
    """With a second channel axis given, and odd sizes."""
    x = np.random.default_rng(1).random((2, 9, 6, 2), np.float32)
    model = CNN((3, 4), hidden=(5,), num_classes=3)
    variables = drawn(model, x)

    @jax.jit
    def expected(layers, y):
        for i, width in enumerate((3, 4)):
            y = QuantConv(width).apply({"params": layers[f"conv_{i}"]}, y)
            y = jnp.maximum(max_pool(y), 0.0)
        assert y.shape == (2, 2, 1, 4)
        y = y.reshape(2, 8)
        y = jnp.maximum(QuantDense(5).apply({"params": layers["hidden_0"]}, y), 0.0)
        return QuantDense(3).apply({"params": layers["output"]}, y)

    y = expected(variables["params"], x)
    found = jax.jit(model.apply)(variables, x)
    np.testing.assert_allclose(found, y, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("edges", [Bits(), Bits(8, 8)])
def test_packed_path_gives_the_float_path(drawn, edges):
    pixels = np.random.default_rng(1).integers(0, 256, (3, 12, 12))
    x = pixels.astype(np.float32) / 255
    model = CNN((4, 5), bits=Bits(1, 2), edge_bits=edges, hidden_range=2.0)
    variables = drawn(model, x)
    packed = jax.jit(model.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, jax.jit(model.apply)(variables, x), atol=1e-5)


def test_first_and_last_layer_stay_at_full_precision(drawn):
    x = np.random.default_rng(1).random((3, 8, 8), np.float32)
    low, full = CNN((4,), bits=Bits(1, 1)), CNN((4,))
    variables = drawn(low, x)
    y_low, y_full = (jax.jit(model.apply)(variables, x) for model in (low, full))
    np.testing.assert_array_equal(y_low, y_full)
