import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.quantizers.straight_through import (
    clipped_activation,
    quantize_gradient,
    quantize_k,
    quantize_weights,
    sign_weights,
    straight_through,
    tanh_weights,
)

BITS = (1, 3, 8)
MAPS = {
    "quantize_k": quantize_k,
    "quantize_weights": quantize_weights,
    "quantize_weights_rescaled": lambda x, bits: quantize_weights(x, bits, True),
    "clipped_activation": clipped_activation,
    "quantize_gradient": quantize_gradient,
}


def tanh_reference(w, bits):
    """Equation 9 in float64."""
    steps = 2**bits - 1
    squashed = np.tanh(w.astype(np.float64))
    top = np.abs(squashed).max()
    return 2 * np.round(steps * (squashed / (2 * top) + 0.5)) / steps - 1


def gradient_reference(dr, noise, bits):
    """Equation 12 in float64, one range for each first index."""
    steps = 2**bits - 1
    top = np.abs(dr).reshape(len(dr), -1).max(1).reshape(-1, *[1] * (dr.ndim - 1))
    unit = dr / (2 * np.where(top > 0, top, 1)) + 0.5 + noise / steps
    return 2 * top * (np.round(steps * np.clip(unit, 0, 1)) / steps - 0.5)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def both_ways(function, x, cotangent, *options):
    """function(x, *options), and the cotangent that it hands back to x."""
    value, vjp = jax.vjp(lambda x: function(x, *options), x)
    return value, vjp(cotangent)[0]


@jax.jit
def levels_of(x):
    """By the width."""
    return {bits: both_ways(quantize_k, x, x, bits) for bits in BITS}


@jax.jit
def weights_of_tanh(w, cotangent):
    """By the width and by whether they are rescaled."""
    return {
        (bits, rescale): both_ways(tanh_weights, w, cotangent, bits, rescale)
        for bits in (2, 3, 8)
        for rescale in (False, True)
    }


@jax.jit
def weights_of_signs(w, cotangent):
    """By whether each channel has a scale."""
    return {
        per_channel: both_ways(sign_weights, w, cotangent, per_channel)
        for per_channel in (False, True)
    }


@jax.jit
def activations_of(x):
    """By the width, with a cotangent of ones."""
    return {
        bits: both_ways(clipped_activation, x, jnp.ones_like(x), bits)
        for bits in (*BITS, 32)
    }


@functools.partial(jax.jit, static_argnums=3)
def gradients_of(x, dr, seed=None, widths=BITS):
    """By the width; with noise if there is a seed."""

    def of(bits):
        key = None if seed is None else jax.random.key(seed)
        return both_ways(quantize_gradient, x, dr, bits, key)

    return {bits: of(bits) for bits in widths}


def test_straight_through_is_x_hat_to_the_last_bit():
    x = normal(50)
    x_hat = np.round(x * 7) / 7
    np.testing.assert_array_equal(straight_through(x, x_hat), x_hat)
    np.testing.assert_array_equal(jax.jit(straight_through)(x, x_hat), x_hat)
    cotangents = jax.vjp(straight_through, x, x_hat)[1](x)
    np.testing.assert_array_equal(cotangents[0], x)
    np.testing.assert_array_equal(cotangents[1], np.zeros(50))


@pytest.mark.parametrize("bits", BITS)
def test_quantize_k_rounds_to_the_nearest_level(bits):
    steps = 2**bits - 1
    x = np.random.default_rng(0).random(500, np.float32)
    x_hat, handed_back = levels_of(x)[bits]
    codes = np.asarray(x_hat, np.float64) * steps
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-4)
    assert np.max(np.abs(x - np.asarray(x_hat))) <= 0.5 / steps * (1 + 1e-6)
    np.testing.assert_array_equal(levels_of(x_hat)[bits][0], x_hat)
    np.testing.assert_array_equal(handed_back, x)


def test_bytes_are_exact_at_8_bits():
    pixels = jnp.arange(256.0).reshape(8, 32) / 255.0
    np.testing.assert_array_equal(quantize_k(pixels, 8), pixels)
    np.testing.assert_array_equal(clipped_activation(pixels, 8), pixels)


@pytest.mark.parametrize("bits", (2, 8))
@pytest.mark.parametrize("scale", (0.01, 4.0))
def test_tanh_weights_are_equation_9(bits, scale):
    w = np.float32(scale) * normal(8, 25)
    weights = weights_of_tanh(w, w)
    expected = tanh_reference(w, bits)
    top = np.tanh(np.abs(w).max())
    np.testing.assert_allclose(weights[bits, False][0], expected, atol=1e-6)
    rescaled = np.asarray(weights[bits, True][0])
    np.testing.assert_allclose(rescaled, top * expected, atol=1e-6)
    error = np.max(np.abs(rescaled - np.tanh(w)))
    assert error <= top / (2**bits - 1) * (1 + 1e-5)


def test_tanh_weights_gradient_is_that_of_the_smooth_part():
    w32, c32 = normal(8, 25), normal(8, 25, seed=1)
    w, cotangent = np.float64(w32), np.float64(c32)

    def smooth(w):
        squashed = np.tanh(w)
        return np.sum(cotangent * squashed / np.abs(squashed).max())

    def difference(i, h=1e-6):
        step = np.zeros(w.size)
        step[i] = h
        step = step.reshape(w.shape)
        return (smooth(w + step) - smooth(w - step)) / (2 * h)

    expected = np.reshape([difference(i) for i in range(w.size)], w.shape)
    gradient = np.asarray(weights_of_tanh(w32, c32)[3, False][1])
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    # The largest weight feels all the others through the maximum.
    largest = np.unravel_index(np.abs(w).argmax(), w.shape)
    alone = cotangent / np.cosh(w) ** 2 / np.tanh(np.abs(w)).max()
    assert abs(gradient[largest] - alone[largest]) > 0.1


def test_rescaled_gradient_is_that_of_tanh():
    w, cotangent = normal(8, 25), normal(8, 25, seed=1)
    gradient = weights_of_tanh(w, cotangent)[2, True][1]
    np.testing.assert_allclose(gradient, cotangent / np.cosh(w) ** 2, rtol=1e-5)


@pytest.mark.parametrize("rescale", (False, True))
@pytest.mark.parametrize("size", (0.0, 1e-30))
def test_vanishing_weights_stay_finite(size, rescale):
    w, ones = np.full((8, 25), size, np.float32), np.ones((8, 25), np.float32)
    value, gradient = weights_of_tanh(w, ones)[8, rescale]
    chex.assert_tree_all_finite((np.asarray(value), np.asarray(gradient)))
    if rescale:
        np.testing.assert_array_equal(value, np.zeros((8, 25)))


def test_sign_weights_share_the_mean_magnitude():
    w = np.array([[1.0, -2.0, 0.0], [-0.0, 4.0, -5.0]], np.float32)
    signs = np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    weights = weights_of_signs(w, w)
    np.testing.assert_allclose(weights[False][0], 2.0 * signs)
    np.testing.assert_allclose(weights[True][0], np.array([[1.0], [3.0]]) * signs)


@pytest.mark.parametrize("per_channel", (False, True))
def test_sign_weights_gradient_is_the_identity(per_channel):
    w, cotangent = normal(2, 3), normal(2, 3, seed=1)
    gradient = weights_of_signs(w, cotangent)[per_channel][1]
    np.testing.assert_array_equal(gradient, cotangent)


def test_quantize_weights_picks_the_equation():
    w = normal(5, 6)

    @jax.jit
    def pairs(w):
        return [
            (quantize_weights(w, 1), sign_weights(w)),
            (quantize_weights(w, 4), tanh_weights(w, 4)),
            (quantize_weights(w, 4, rescale=True), tanh_weights(w, 4, rescale=True)),
        ]

    for one, other in pairs(w):
        np.testing.assert_array_equal(one, other)
    assert quantize_weights(w, 32) is w


@pytest.mark.parametrize("bits", BITS)
def test_activations_are_clipped_and_rounded(bits):
    x = np.float32(2) * normal(300)
    steps = 2**bits - 1
    expected = np.round(np.clip(x, 0, 1) * np.float32(steps)) / steps
    activations, gradient = activations_of(x)[bits]
    np.testing.assert_allclose(activations, expected, atol=1e-6)
    np.testing.assert_array_equal(gradient, (x > 0) & (x < 1))


def test_full_precision_activation_is_relu():
    x = np.resize(np.float32([-1.0, 0.0, 0.5, 3.0]), 300)
    activations, gradient = activations_of(x)[32]
    np.testing.assert_array_equal(activations, np.resize([0.0, 0.0, 0.5, 3.0], 300))
    np.testing.assert_array_equal(gradient, np.resize([0.0, 0.0, 1.0, 1.0], 300))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", ((6, 11), (6, 3, 5)))
def test_gradients_are_equation_11_without_a_key(bits, shape):
    x = normal(*shape)
    # Ranges from 1e-2 to 1e3: one for all examples would drown most of them.
    ranges = np.logspace(-2, 3, 6).reshape(6, *[1] * (len(shape) - 1))
    dr = np.float32(ranges * normal(*shape, seed=1))
    value, gradient = gradients_of(x, dr)[bits]
    np.testing.assert_array_equal(value, x)
    expected = gradient_reference(np.float64(dr), 0.0, bits)
    np.testing.assert_allclose(gradient / ranges, expected / ranges, atol=1e-5)


@pytest.mark.parametrize("bits", BITS)
def test_noisy_gradients_stay_on_the_grid_within_one_step(bits):
    dr = normal(50, 40)
    dr_hat = np.float64(gradients_of(dr, dr, 0)[bits][1])
    top, steps = np.abs(dr).max(1, keepdims=True), 2**bits - 1
    codes = steps * (dr_hat / (2 * top) + 0.5)
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert codes.min() > -1e-3 and codes.max() < steps + 1e-3
    assert np.max(np.abs(dr_hat - dr) / top) <= 2 / steps * (1 + 1e-5)
    extreme = np.abs(dr) == top
    np.testing.assert_allclose(dr_hat[extreme], dr[extreme], rtol=1e-6)


@pytest.mark.parametrize("bits", (1, 2, 4))
def test_noisy_gradients_are_unbiased(noisy_draws, bits):
    dr, dr_hats = noisy_draws
    dr_hat = np.float64(dr_hats[bits][1])[:, 0]
    step = 2.0 / (2**bits - 1)
    below = (np.float64(dr[0]) + 1) % step
    sigma = np.sqrt(below * (step - below))  # of a rounding up with odds below / step
    deviation = 5 * sigma / len(dr_hat) ** 0.5
    assert np.all(np.abs(dr_hat.mean(0) - dr[0]) <= deviation + 1e-6)
    assert np.std(dr_hat[:, 1]) > 0.0


@pytest.fixture(scope="module")
def noisy_draws():
    """dr f32[1, 8], and by the width what 4000 seeds make of it."""
    dr = np.float32([[-1.0, -0.97, -0.4, 0.0, 0.1, 0.33, 0.99, 0.2]])

    @jax.jit
    @jax.vmap
    def drawn(seed):
        return gradients_of(dr, dr, seed, (1, 2, 4))

    return dr, drawn(np.arange(4000))


@pytest.mark.parametrize("noisy", (False, True))
def test_zero_gradients_stay_zero(key, noisy):
    dr = np.zeros((8, 32), np.float32)
    dr[1] = 1.0
    _, dr_hat = both_ways(quantize_gradient, dr, dr, 3, key if noisy else None)
    np.testing.assert_array_equal(dr_hat, dr)


def test_full_precision_gradients_pass(key):
    x = normal(3, 4)
    assert quantize_gradient(x, 32, key) is x


@pytest.mark.parametrize("bits", (1, 4))
def test_jit_and_vmap_change_nothing(bits):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.5, (3, 8, 32)).astype(np.float32)
    dr = normal(3, 8, 32)

    def client(seed, x, dr):
        def maps(x):
            y = clipped_activation(x, bits) + quantize_weights(x, bits, rescale=True)
            return quantize_gradient(y, bits, jax.random.key(seed))

        return both_ways(maps, x, dr)

    loop = [client(*each) for each in zip(range(3), x, dr)]
    loop = jax.tree.map(lambda *leaves: np.stack(leaves), *loop)
    jitted = jax.jit(jax.vmap(client))(np.arange(3), x, dr)
    chex.assert_trees_all_close(jitted, loop, atol=1e-5)


@pytest.mark.parametrize("bits", (0, 9, 2.0, True))
@pytest.mark.parametrize("name", MAPS)
def test_widths_out_of_range_are_refused(name, bits):
    with pytest.raises(ValueError, match=f"must be an integer in 1..8.*bits={bits}"):
        MAPS[name](np.ones((2, 2), np.float32), bits)


@pytest.mark.parametrize("bits", (1, 9, 32))
def test_tanh_weights_refuse_other_widths(bits):
    with pytest.raises(ValueError, match=f"integer in 2..8, got bits={bits}"):
        tanh_weights(np.ones(2, np.float32), bits)
