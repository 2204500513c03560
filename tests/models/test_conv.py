import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from flq_jax.models import Bits, QuantConv
from flq_jax.models.conv import convolve, max_pool
from flq_jax.quantizers.straight_through import clipped_activation, quantize_weights

NHWC = ("NHWC", "HWIO", "NHWC")


@pytest.fixture
def x(key):
    return jax.random.uniform(jax.random.fold_in(key, 1), (3, 7, 6, 5))


@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_windows_give_the_convolution_and_its_gradients(key, x, stride, padding):
    w = jax.random.normal(key, (3, 2, 5, 4))

    def expected(x, w):
        return lax.conv_general_dilated(x, w, stride, padding, dimension_numbers=NHWC)

    y, pullback = jax.vjp(lambda x, w: convolve(x, w, stride, padding), x, w)
    y_lax, pullback_lax = jax.vjp(expected, x, w)
    np.testing.assert_allclose(y, y_lax, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(pullback(y_lax), pullback_lax(y_lax)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_full_precision_is_a_convolution(key, x):
    layer = QuantConv(4)
    variables = layer.init(key, x)
    kernel = variables["params"]["kernel"]
    assert kernel.shape == (3, 3, 5, 4)
    variables["params"]["bias"] = jnp.arange(4.0)
    y = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC)
    expected = y + np.arange(4.0)[None, None, None]
    np.testing.assert_allclose(
        layer.apply(variables, x), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("rescale", [True, False])
@pytest.mark.parametrize("widths", [(1, 1), (1, 2), (3, 8), (8, 4)])
def test_packed_integers_give_the_float_path(key, x, widths, rescale):
    layer = QuantConv(4, bits=Bits(*widths), rescale=rescale, input_range=0.7)
    variables = layer.init(key, x)
    rounded = 0.7 * clipped_activation(x / 0.7, widths[1])
    w = quantize_weights(variables["params"]["kernel"], widths[0], rescale)
    expected = lax.conv_general_dilated(
        rounded, w, (1, 1), "SAME", dimension_numbers=NHWC
    )
    y = layer.apply(variables, x)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    packed = jax.jit(layer.clone(packed=True).apply)(variables, x)
    np.testing.assert_allclose(packed, y, atol=1e-5)


def test_packed_signs_keep_padding_at_zero(key):
    """All inputs at the top of their range: y = E|w| times the signs inside the image."""
    layer = QuantConv(2, bits=Bits(1, 1), packed=True)
    x = jnp.ones((1, 3, 3, 1))
    variables = layer.init(key, x)
    variables["params"]["kernel"] = jnp.ones((3, 3, 1, 2)).at[..., 1].set(-1.0)
    y = layer.apply(variables, x)[0]
    inside = np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]])
    np.testing.assert_array_equal(y[..., 0], inside)
    np.testing.assert_array_equal(y[..., 1], -inside)


def test_full_precision_layers_compute_in_floats_when_packed(key, x):
    layer = QuantConv(4, bits=Bits(weights=32, activations=2))
    variables = layer.init(key, x)
    packed = layer.clone(packed=True).apply(variables, x)
    np.testing.assert_array_equal(packed, layer.apply(variables, x))


def test_gradients_are_rounded_for_each_example(key, x):
    """One gradient bit: every entry is +- the example's largest."""
    layer = QuantConv(4, bits=Bits(gradients=1))
    variables = layer.init(key, x)
    cotangent = jax.random.normal(key, (3, 7, 6, 4))
    _, pullback = jax.vjp(lambda v: layer.apply(v, x), variables)
    bias_gradient = pullback(cotangent)[0]["params"]["bias"]
    largest = jnp.abs(cotangent).max((1, 2, 3), keepdims=True)
    expected = jnp.where(cotangent > 0, largest, -largest).sum((0, 1, 2))
    np.testing.assert_allclose(bias_gradient, expected, rtol=1e-4)


def test_pool_takes_the_largest_of_whole_cells():
    x = jnp.arange(15.0).reshape(1, 5, 3, 1)
    np.testing.assert_array_equal(max_pool(x)[0, :, :, 0], [[4.0], [10.0]])


@pytest.mark.parametrize("bad", [jnp.ones((2, 3)), jnp.ones((1, 4, 4, 2), jnp.int32)])
def test_other_inputs_are_refused(key, bad):
    with pytest.raises(ValueError, match=r"QuantConv: inputs must be floats \[b, h, w"):
        QuantConv(4).init(key, bad)


def test_ranges_below_zero_are_refused():
    with pytest.raises(ValueError, match="QuantConv: input_range must be above 0.*=0"):
        QuantConv(4, input_range=0)
