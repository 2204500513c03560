from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.models import Bits, QuantDense
from flq_jax.models.layers import flatten
from flq_jax.quantizers.straight_through import sign_weights, tanh_weights

GRID = [Bits(*widths) for widths in product((1, 4, 32), (1, 32), (1, 32))]


def layer_gradient(layer, variables, x, cotangent, key=None):
    """Gradients (of the variables, of the inputs) for the outputs' `cotangent`."""
    rngs = None if key is None else {"gradient": key}
    _, vjp = jax.vjp(lambda v, x: layer.apply(v, x, rngs=rngs), variables, x)
    return vjp(cotangent)


@pytest.fixture
def x(key):
    return jax.random.uniform(jax.random.fold_in(key, 1), (6, 9))


@pytest.fixture
def cotangent(key):
    return jax.random.normal(jax.random.fold_in(key, 2), (6, 4))


def test_full_precision_is_a_dense_layer(key, x, cotangent):
    layer = QuantDense(4)
    variables = layer.init(key, x)
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (4, 9)
    assert np.abs(kernel).max() <= np.sqrt(6 / (4 + 9))  # Glorot and Bengio 2010
    np.testing.assert_array_equal(variables["params"]["bias"], np.zeros(4))
    variables["params"]["bias"] = jnp.arange(4.0)
    expected = np.asarray(x) @ kernel.T + np.arange(4.0)
    np.testing.assert_allclose(layer.apply(variables, x), expected, rtol=1e-5)
    gradients, to_x = layer_gradient(layer, variables, x, cotangent)
    cotangent, x = np.asarray(cotangent), np.asarray(x)
    np.testing.assert_allclose(
        gradients["params"]["kernel"], cotangent.T @ x, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        gradients["params"]["bias"], cotangent.sum(0), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(to_x, cotangent @ kernel, rtol=1e-4, atol=1e-5)


def test_full_precision_adds_no_operation(key, x):
    layer = QuantDense(4)
    variables = layer.init(key, x)
    params = variables["params"]
    text = str(jax.make_jaxpr(lambda v, x: layer.apply(v, x))(variables, x))
    plain = str(
        jax.make_jaxpr(lambda p, x: x @ p["kernel"].T + p["bias"][None])(params, x)
    )
    assert text.count(" = ") == plain.count(" = ")


def test_without_bias_there_is_only_a_kernel(key, x):
    params = QuantDense(4, use_bias=False).init(key, x)["params"]
    assert set(params) == {"kernel"}


@pytest.mark.parametrize("rescale", (True, False))
@pytest.mark.parametrize("weights", (1, 2, 8))
def test_unit_inputs_read_out_the_rounded_weights(key, weights, rescale):
    layer = QuantDense(4, bits=Bits(weights=weights), rescale=rescale)
    variables = layer.init(key, jnp.eye(9))
    kernel = variables["params"]["kernel"]
    if weights == 1:
        expected = sign_weights(kernel)
    else:
        expected = tanh_weights(kernel, weights, rescale)
    outputs = layer.apply(variables, jnp.eye(9))
    np.testing.assert_allclose(outputs.T, expected, rtol=1e-6)
    assert len(np.unique(np.round(outputs, 5))) <= 2**weights


@pytest.mark.parametrize("input_range", (1.0, 4.0))
@pytest.mark.parametrize("activations", (1, 8))
def test_inputs_are_clipped_and_rounded(x, key, activations, input_range):
    x = 6.0 * x
    bits = Bits(activations=activations)
    layer = QuantDense(9, use_bias=False, bits=bits, input_range=input_range)
    seen = layer.apply({"params": {"kernel": jnp.eye(9)}}, x)
    steps = 2**activations - 1
    clipped = np.clip(np.asarray(x, np.float64) / input_range, 0, 1)
    expected = input_range * np.round(steps * clipped) / steps
    np.testing.assert_allclose(seen, expected, atol=1e-5)


@pytest.mark.parametrize("gradients", (1, 4))
def test_gradients_are_rounded_before_they_reach_the_kernel(x, key, gradients):
    layer = QuantDense(4, bits=Bits(gradients=gradients))
    variables = layer.init(key, x)
    cotangent = jnp.zeros((6, 4)).at[2].set(jnp.array([1.0, 0.9, -0.3, -0.05]))
    kernel = layer_gradient(layer, variables, x, cotangent)[0]["params"]["kernel"]
    # One example has a gradient, so each row is x times a level of its grid.
    factors = np.asarray(kernel) @ np.asarray(x[2]) / np.sum(np.square(x[2]))
    steps = 2**gradients - 1
    expected = 2 * np.round(steps * (np.asarray(cotangent[2]) / 2 + 0.5)) / steps - 1
    np.testing.assert_allclose(factors, expected, atol=1e-5)


@pytest.mark.parametrize("bits", GRID, ids=str)
def test_gradients_are_finite(key, x, cotangent, bits):
    layer = QuantDense(4, bits=bits)
    variables = layer.init(key, x)
    noise = jax.random.fold_in(key, 3)
    gradients, _ = layer_gradient(layer, variables, x, cotangent, noise)
    for gradient in jax.tree.leaves(gradients):
        assert np.all(np.isfinite(gradient)) and np.any(gradient)


def test_noise_is_the_key_s(key, x, cotangent):
    layer = QuantDense(4, bits=Bits(gradients=2))
    variables = layer.init(key, x)

    def draw(seed=None):
        noise = None if seed is None else jax.random.key(seed)
        gradients, _ = layer_gradient(layer, variables, x, cotangent, noise)
        return np.asarray(gradients["params"]["kernel"])

    np.testing.assert_array_equal(draw(1), draw(1))
    np.testing.assert_array_equal(draw(), draw())
    assert np.any(draw(1) != draw(2)) and np.any(draw(1) != draw())


@pytest.mark.parametrize("field", ("weights", "activations", "gradients"))
@pytest.mark.parametrize("bits", (0, 9, 8.0))
def test_widths_out_of_range_are_refused(field, bits):
    with pytest.raises(ValueError, match=f"Bits: {field} must be .*{field}={bits}"):
        Bits(**{field: bits})


@pytest.mark.parametrize("input_range", (0.0, -1.0))
def test_empty_ranges_are_refused(input_range):
    with pytest.raises(ValueError, match=f"input_range={input_range}"):
        QuantDense(4, input_range=input_range)


@pytest.mark.parametrize(
    "x, came",
    [
        (jnp.zeros((2, 3, 4)), r"float32\[2, 3, 4\]"),
        (jnp.zeros((2, 3), jnp.uint8), r"uint8\[2, 3\]"),
    ],
    ids=["rank", "bytes"],
)
def test_other_inputs_are_refused(key, x, came):
    with pytest.raises(ValueError, match=f"must be floats .*{came}"):
        QuantDense(4).init(key, x)


def test_flatten_keeps_the_examples():
    assert flatten(jnp.zeros((5, 28, 28))).shape == (5, 784)
    assert flatten(jnp.zeros((5, 784))).shape == (5, 784)
    with pytest.raises(ValueError, match=r"x.shape=\(784,\)"):
        flatten(jnp.zeros(784))


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("widths", [(1, 1), (2, 3), (8, 8)])
def test_packed_integers_give_the_float_path(key, x, widths, rescale):
    layer = QuantDense(4, bits=Bits(*widths), rescale=rescale, input_range=0.6)
    variables = layer.init(key, x)
    packed = jax.jit(layer.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, layer.apply(variables, x), atol=1e-5)
