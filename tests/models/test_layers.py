import functools
from itertools import product

import jax
import numpy as np
import pytest

from flq_jax.models import Bits, QuantDense
from flq_jax.models.layers import flatten
from flq_jax.quantizers.straight_through import sign_weights, tanh_weights

GRID = [Bits(*widths) for widths in product((1, 4, 32), (1, 32), (1, 32))]


@functools.partial(jax.jit, static_argnums=0)
def layer_gradient(layer, variables, x, cotangent, seed=None):
    """Gradients (of the variables, of the inputs) for the outputs' `cotangent`."""
    rngs = None if seed is None else {"gradient": jax.random.key(seed)}
    _, vjp = jax.vjp(lambda v, x: layer.apply(v, x, rngs=rngs), variables, x)
    return vjp(cotangent)


@pytest.fixture
def x():
    return np.random.default_rng(1).random((6, 9), np.float32)


@pytest.fixture
def cotangent():
    return np.random.default_rng(2).standard_normal((6, 4), np.float32)


def test_full_precision_is_a_dense_layer(key, x, cotangent):
    layer = QuantDense(4)
    variables = jax.jit(layer.init)(key, x)
    kernel = np.asarray(variables["params"]["kernel"])
    assert kernel.shape == (4, 9)
    assert np.abs(kernel).max() <= np.sqrt(6 / (4 + 9))  # Glorot and Bengio 2010
    np.testing.assert_array_equal(variables["params"]["bias"], np.zeros(4))
    variables["params"]["bias"] = np.arange(4, dtype=np.float32)
    expected = x @ kernel.T + np.arange(4.0)
    found = jax.jit(layer.apply)(variables, x)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    gradients, to_x = layer_gradient(layer, variables, x, cotangent)
    np.testing.assert_allclose(
        gradients["params"]["kernel"], cotangent.T @ x, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        gradients["params"]["bias"], cotangent.sum(0), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(to_x, cotangent @ kernel, rtol=1e-4, atol=1e-5)


def test_full_precision_adds_no_operation(drawn, x):
    layer = QuantDense(4)
    variables = drawn(layer, x)
    params = variables["params"]
    text = str(jax.make_jaxpr(lambda v, x: layer.apply(v, x))(variables, x))

    def by_hand(p, x):
        return (
            jax.lax.dot_general(x, p["kernel"], (((1,), (1,)), ((), ())))
            + (p["bias"][None])
        )

    plain = str(jax.make_jaxpr(by_hand)(params, x))
    assert text.count(" = ") == plain.count(" = ")


def test_without_bias_there_is_only_a_kernel(key, x):
    params = jax.eval_shape(QuantDense(4, use_bias=False).init, key, x)["params"]
    assert set(params) == {"kernel"}


@pytest.mark.parametrize("rescale", (True, False))
@pytest.mark.parametrize("weights", (1, 2, 8))
def test_unit_inputs_read_out_the_rounded_weights(drawn, weights, rescale):
    layer = QuantDense(4, bits=Bits(weights=weights), rescale=rescale)
    unit = np.eye(9, dtype=np.float32)
    variables = drawn(layer, unit)
    variables["params"]["bias"] = np.zeros(4, np.float32)

    @jax.jit
    def both(variables):
        kernel = variables["params"]["kernel"]
        if weights == 1:
            expected = sign_weights(kernel)
        else:
            expected = tanh_weights(kernel, weights, rescale)
        return layer.apply(variables, unit).T, expected

    outputs, expected = map(np.asarray, both(variables))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    assert len(np.unique(np.round(outputs, 5))) <= 2**weights


@pytest.mark.parametrize("input_range", (1.0, 4.0))
@pytest.mark.parametrize("activations", (1, 8))
def test_inputs_are_clipped_and_rounded(x, activations, input_range):
    x = np.float32(6) * x
    bits = Bits(activations=activations)
    layer = QuantDense(9, use_bias=False, bits=bits, input_range=input_range)
    unit = {"params": {"kernel": np.eye(9, dtype=np.float32)}}
    seen = jax.jit(layer.apply)(unit, x)
    steps = 2**activations - 1
    clipped = np.clip(np.asarray(x, np.float64) / input_range, 0, 1)
    expected = input_range * np.round(steps * clipped) / steps
    np.testing.assert_allclose(seen, expected, atol=1e-5)


@pytest.mark.parametrize("gradients", (1, 4))
def test_gradients_are_rounded_before_they_reach_the_kernel(x, drawn, gradients):
    layer = QuantDense(4, bits=Bits(gradients=gradients))
    variables = drawn(layer, x)
    cotangent = np.zeros((6, 4), np.float32)
    cotangent[2] = [1.0, 0.9, -0.3, -0.05]
    kernel = layer_gradient(layer, variables, x, cotangent)[0]["params"]["kernel"]
    # One example has a gradient, so each row is x times a level of its grid.
    factors = np.asarray(kernel) @ np.asarray(x[2]) / np.sum(np.square(x[2]))
    steps = 2**gradients - 1
    expected = 2 * np.round(steps * (np.asarray(cotangent[2]) / 2 + 0.5)) / steps - 1
    np.testing.assert_allclose(factors, expected, atol=1e-5)


@pytest.mark.parametrize("bits", GRID, ids=str)
def test_gradients_are_finite(drawn, x, cotangent, bits):
    layer = QuantDense(4, bits=bits)
    gradients, _ = layer_gradient(layer, drawn(layer, x), x, cotangent, 3)
    for gradient in jax.tree.leaves(gradients):
        assert np.all(np.isfinite(gradient)) and np.any(np.asarray(gradient))


def test_noise_is_the_key_s(drawn, x, cotangent):
    layer = QuantDense(4, bits=Bits(gradients=2))
    variables = drawn(layer, x)

    def draw(seed=None):
        gradients, _ = layer_gradient(layer, variables, x, cotangent, seed)
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
        (np.zeros(3, np.float32), r"float32\[3\]"),
        (np.zeros((2, 3), np.uint8), r"uint8\[2, 3\]"),
    ],
    ids=["rank", "bytes"],
)
def test_other_inputs_are_refused(key, x, came):
    with pytest.raises(ValueError, match=f"must be floats .*{came}"):
        QuantDense(4).init(key, x)


def test_every_position_of_a_sequence_is_a_row(drawn):
    layer = QuantDense(4, bits=Bits(2, 2))
    x = np.random.default_rng(1).random((2, 3, 9), np.float32)
    variables = drawn(layer, x)
    apply = jax.jit(layer.apply)
    rows = np.stack([apply(variables, row) for row in x])
    np.testing.assert_allclose(apply(variables, x), rows, rtol=1e-6)
    packed = jax.jit(layer.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "bits, levels", [(1, [-2, -2, 2, 2]), (2, [-2, -2 / 3, 2 / 3, 2])]
)
def test_signed_inputs_have_levels_on_both_sides(bits, levels):
    """R = 2; what lies outside is clipped, and has no gradient."""
    layer = QuantDense(1, bits=Bits(activations=bits), input_range=2.0, signed=True)
    x = np.float32([[-5.0], [-0.9], [0.9], [1.9]])
    params = {"params": {"kernel": np.ones((1, 1), np.float32), "bias": np.zeros(1)}}
    found, vjp = jax.vjp(lambda x: layer.apply(params, x), x)
    np.testing.assert_allclose(found[:, 0], levels, rtol=1e-6)
    np.testing.assert_allclose(vjp(np.ones_like(x))[0][:, 0], [0, 1, 1, 1])


@pytest.mark.parametrize("bits", [Bits(1, 1), Bits(2, 3)])
def test_packed_signed_inputs_give_the_float_product(drawn, bits):
    x = np.random.default_rng(1).standard_normal((6, 9)).astype(np.float32)
    layer = QuantDense(4, bits=bits, signed=True, input_range=1.5)
    variables = drawn(layer, x)
    floats = jax.jit(layer.apply)(variables, x)
    packed = jax.jit(layer.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, floats, rtol=1e-5, atol=1e-5)


def test_flatten_keeps_the_examples():
    assert flatten(np.zeros((5, 28, 28))).shape == (5, 784)
    assert flatten(np.zeros((5, 784))).shape == (5, 784)
    with pytest.raises(ValueError, match=r"x.shape=\(784,\)"):
        flatten(np.zeros(784))


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("widths", [(1, 1), (2, 3), (8, 8)])
def test_packed_integers_give_the_float_path(drawn, x, widths, rescale):
    layer = QuantDense(4, bits=Bits(*widths), rescale=rescale, input_range=0.6)
    layers = layer, layer.clone(packed=True)
    paths = jax.jit(lambda variables, x: [each.apply(variables, x) for each in layers])
    floats, packed = paths(drawn(layer, x), x)
    np.testing.assert_allclose(packed, floats, atol=1e-5)
