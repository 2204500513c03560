import jax
import numpy as np
import pytest
from jax import lax

from flq_jax.models import Bits, QuantConv
from flq_jax.quantizers.straight_through import clipped_activation, quantize_weights

NHWC = ("NHWC", "HWIO", "NHWC")


@pytest.fixture
def x():
    return np.random.default_rng(1).random((3, 7, 6, 5), np.float32)


def test_full_precision_is_a_convolution(drawn, x):
    layer = QuantConv(4)
    variables = drawn(layer, x)
    kernel = variables["params"]["kernel"]
    assert kernel.shape == (3, 3, 5, 4)
    variables["params"]["bias"] = np.arange(4, dtype=np.float32)

    @jax.jit
    def both(variables, x, w):
        y = lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=NHWC)
        return layer.apply(variables, x), y

    found, y = both(variables, x, kernel)
    expected = np.asarray(y) + np.arange(4.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("widths", [(1, 1), (1, 2), (3, 8), (8, 4)])
def test_packed_integers_give_the_float_path(drawn, x, widths):
    variables = drawn(QuantConv(4), x)

    def paths(variables, x, rescale):
        layer = QuantConv(4, bits=Bits(*widths), rescale=rescale, input_range=0.7)
        rounded = 0.7 * clipped_activation(x / 0.7, widths[1])
        w = quantize_weights(variables["params"]["kernel"], widths[0], rescale)
        y = lax.conv_general_dilated(rounded, w, (1, 1), "SAME", dimension_numbers=NHWC)
        y += variables["params"]["bias"][None, None, None]
        return (
            y,
            layer.apply(variables, x),
            layer.clone(packed=True).apply(variables, x),
        )

    both = jax.jit(lambda *args: [paths(*args, rescale) for rescale in (True, False)])
    for expected, floats, packed in both(variables, x):
        np.testing.assert_allclose(floats, expected, atol=1e-5)
        np.testing.assert_allclose(packed, floats, atol=1e-5)


def test_packed_signs_keep_padding_at_zero(drawn):
    """All inputs at the top of their range: y = E|w| times the signs inside the image."""
    layer = QuantConv(2, bits=Bits(1, 1), packed=True)
    x = np.ones((1, 3, 3, 1), np.float32)
    variables = drawn(layer, x)
    signs = np.ones((3, 3, 1, 2), np.float32) * np.float32([1, -1])
    variables["params"] = {"kernel": signs, "bias": np.zeros(2, np.float32)}
    y = np.asarray(jax.jit(layer.apply)(variables, x))[0]
    inside = np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]])
    np.testing.assert_array_equal(y[..., 0], inside)
    np.testing.assert_array_equal(y[..., 1], -inside)


def test_full_precision_layers_compute_in_floats_when_packed(drawn, x):
    layer = QuantConv(4, bits=Bits(weights=32, activations=2))
    variables = drawn(layer, x)
    layers = layer, layer.clone(packed=True)
    floats, packed = jax.jit(lambda *args: [f.apply(*args) for f in layers])(
        variables, x
    )
    np.testing.assert_array_equal(packed, floats)


def test_gradients_are_rounded_for_each_example(drawn, x):
    """One gradient bit: every entry is +- the example's largest."""
    layer = QuantConv(4, bits=Bits(gradients=1))
    variables = drawn(layer, x)
    cotangent = np.random.default_rng(0).standard_normal((3, 7, 6, 4), np.float32)

    @jax.jit
    def gradient(variables, cotangent):
        _, pullback = jax.vjp(lambda v: layer.apply(v, x), variables)
        return pullback(cotangent)[0]["params"]["bias"]

    bias_gradient = gradient(variables, cotangent)
    largest = np.abs(cotangent).max((1, 2, 3), keepdims=True)
    expected = np.where(cotangent > 0, largest, -largest).sum((0, 1, 2))
    np.testing.assert_allclose(bias_gradient, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "bad", [np.ones((2, 3), np.float32), np.ones((1, 4, 4, 2), np.int32)]
)
def test_other_inputs_are_refused(key, bad):
    with pytest.raises(ValueError, match=r"QuantConv: inputs must be floats \[b, h, w"):
        QuantConv(4).init(key, bad)


def test_ranges_below_zero_are_refused():
    with pytest.raises(
        ValueError, match="QuantConv: input_range must be finite and above 0.*=0"
    ):
        QuantConv(4, input_range=0)
