"""DoReFa's maps against numpy, forward and backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers import straight_through as st

LOW = (1, 2, 3, 4, 8)


def _grid(x, bits):
    top = 2**bits - 1
    return np.round(np.asarray(x, np.float64) * top) / top


@pytest.mark.parametrize("bits", LOW)
def test_quantize_k_rounds_forward_and_is_the_identity_backward(bits, key):
    x = jax.random.uniform(key, (50,))
    np.testing.assert_allclose(st.quantize_k(x, bits), _grid(x, bits), atol=1e-6)
    pulled = jax.vjp(lambda x: st.quantize_k(x, bits), x)[1](x)[0]
    np.testing.assert_array_equal(pulled, x)


def test_bytes_are_exact_in_eight_bits():
    x = jnp.arange(256.0) / 255.0
    np.testing.assert_array_equal(st.quantize_k(x, 8), x)


@pytest.mark.parametrize("bits", LOW[1:])
def test_tanh_weights_against_numpy(bits, key):
    w = jax.random.normal(key, (4, 5))
    t = np.tanh(np.asarray(w, np.float64))
    expected = 2 * _grid(t / (2 * np.abs(t).max()) + 0.5, bits) - 1
    np.testing.assert_allclose(st.tanh_weights(w, bits), expected, atol=1e-6)


@pytest.mark.parametrize("bits", LOW[1:])
def test_tanh_weights_pull_back_through_tanh_and_maximum(bits, key):
    w = jax.random.normal(key, (6,))
    g = jax.random.normal(jax.random.fold_in(key, 1), (6,))
    pulled = jax.vjp(lambda w: st.tanh_weights(w, bits), w)[1](g)[0]

    def smooth(w):
        return np.tanh(w) / np.abs(np.tanh(w)).max()

    w64, h = np.asarray(w, np.float64), 1e-6
    differences = [
        np.dot(g, smooth(w64 + h * e) - smooth(w64 - h * e)) / (2 * h)
        for e in np.eye(6)
    ]
    np.testing.assert_allclose(pulled, differences, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("bits", LOW)
def test_weights_that_are_all_zero_are_finite(bits):
    total = jax.value_and_grad(lambda w: st.quantize_weights(w, bits).sum())
    value, grads = total(jnp.zeros((2, 3)))
    assert jnp.isfinite(value) and jnp.all(jnp.isfinite(grads))


def test_sign_weights_scale_by_layer_or_channel():
    w = jnp.array([[1.0, -3.0], [0.0, 0.5]])
    np.testing.assert_allclose(
        st.sign_weights(w), [[1.125, -1.125], [1.125, 1.125]], rtol=1e-6
    )
    np.testing.assert_allclose(
        st.sign_weights(w, per_channel=True), [[2.0, -2.0], [0.25, 0.25]], rtol=1e-6
    )
    np.testing.assert_array_equal(jax.grad(lambda w: st.sign_weights(w).sum())(w), 1.0)


def test_clipped_activation_by_hand():
    x = jnp.array([-1.0, 0.2, 0.7, 2.0])
    np.testing.assert_allclose(
        st.clipped_activation(x, 2), [0, 1 / 3, 2 / 3, 1], atol=1e-6
    )
    np.testing.assert_array_equal(
        jax.grad(lambda x: st.clipped_activation(x, 2).sum())(x), [0, 1, 1, 0]
    )
    np.testing.assert_array_equal(st.clipped_activation(x, 32), jnp.maximum(x, 0.0))


def _pulled(x, g, bits, key=None):
    return jax.vjp(lambda x: st.quantize_gradient(x, bits, key), x)[1](g)[0]


@pytest.mark.parametrize("bits", LOW)
def test_gradients_are_rounded_per_instance(bits, key):
    g = jax.random.normal(key, (3, 7)) * jnp.array([[1.0], [1e-6], [1e6]])
    largest = np.abs(np.asarray(g, np.float64)).max(axis=1, keepdims=True)
    expected = 2 * largest * (_grid(g / (2 * largest) + 0.5, bits) - 0.5)
    np.testing.assert_allclose(
        _pulled(g, g, bits) / largest, expected / largest, atol=1e-5
    )


@pytest.mark.parametrize("bits", LOW)
def test_noise_makes_gradient_rounding_unbiased(bits, key):
    g = jnp.array([[1.0, -0.9, 0.31, 0.0, -0.02, 0.7]])
    draws = 4000
    keys = jax.random.split(key, draws)
    samples = jax.vmap(lambda k: _pulled(g, g, bits, k))(keys)
    spread = jnp.std(samples, axis=0)
    error = jnp.abs(jnp.mean(samples, axis=0) - g)
    assert jnp.all(error <= 5 * spread / draws**0.5 + 1e-6)
    assert jnp.max(jnp.abs(samples)) <= 1.0 + 1e-6


def test_gradient_quantizer_is_the_identity_forward_and_keeps_zero(key):
    x = jax.random.normal(key, (2, 3))
    np.testing.assert_array_equal(st.quantize_gradient(x, 2), x)
    np.testing.assert_array_equal(_pulled(x, jnp.zeros((2, 3)), 2), 0.0)
    np.testing.assert_array_equal(_pulled(x, x, 32), x)


@pytest.mark.parametrize("bits", [0, 9, 16, 33, True])
@pytest.mark.parametrize(
    "f",
    [st.quantize_k, st.quantize_weights, st.clipped_activation, st.quantize_gradient],
)
def test_other_widths_are_refused(f, bits):
    with pytest.raises(ValueError, match=f"bits={bits}"):
        f(jnp.zeros((1, 1)), bits)
