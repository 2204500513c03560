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


def pull(function, x, cotangent):
    """The cotangent that `function` hands back to x."""
    return jax.vjp(function, x)[1](cotangent)[0]


def test_straight_through_is_x_hat_to_the_last_bit(key):
    x = jax.random.normal(key, (50,))
    x_hat = jnp.round(x * 7) / 7
    np.testing.assert_array_equal(straight_through(x, x_hat), x_hat)
    np.testing.assert_array_equal(jax.jit(straight_through)(x, x_hat), x_hat)
    cotangents = jax.vjp(straight_through, x, x_hat)[1](x)
    np.testing.assert_array_equal(cotangents[0], x)
    np.testing.assert_array_equal(cotangents[1], jnp.zeros(50))


@pytest.mark.parametrize("bits", BITS)
def test_quantize_k_rounds_to_the_nearest_level(key, bits):
    steps = 2**bits - 1
    x = jax.random.uniform(key, (500,))
    x_hat = quantize_k(x, bits)
    codes = np.asarray(x_hat, np.float64) * steps
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-4)
    assert jnp.max(jnp.abs(x - x_hat)) <= 0.5 / steps * (1 + 1e-6)
    np.testing.assert_array_equal(quantize_k(x_hat, bits), x_hat)
    np.testing.assert_array_equal(pull(lambda x: quantize_k(x, bits), x, x), x)


def test_bytes_are_exact_at_8_bits():
    pixels = jnp.arange(256, dtype=jnp.uint8) / 255.0
    np.testing.assert_array_equal(quantize_k(pixels, 8), pixels)
    np.testing.assert_array_equal(clipped_activation(pixels, 8), pixels)


@pytest.mark.parametrize("bits", (2, 8))
@pytest.mark.parametrize("scale", (0.01, 4.0))
def test_tanh_weights_are_equation_9(key, bits, scale):
    w = scale * jax.random.normal(key, (8, 25))
    expected = tanh_reference(np.asarray(w), bits)
    top = np.tanh(np.abs(w).max())
    np.testing.assert_allclose(tanh_weights(w, bits), expected, atol=1e-6)
    rescaled = tanh_weights(w, bits, rescale=True)
    np.testing.assert_allclose(rescaled, top * expected, atol=1e-6)
    error = jnp.max(jnp.abs(rescaled - jnp.tanh(w)))
    assert error <= top / (2**bits - 1) * (1 + 1e-5)


def test_tanh_weights_gradient_is_that_of_the_smooth_part(key):
    key_w, key_c = jax.random.split(key)
    w = np.asarray(jax.random.normal(key_w, (3, 7)), np.float64)
    cotangent = np.asarray(jax.random.normal(key_c, (3, 7)), np.float64)

    def smooth(w):
        squashed = np.tanh(w)
        return np.sum(cotangent * squashed / np.abs(squashed).max())

    def difference(i, h=1e-6):
        step = np.zeros(w.size)
        step[i] = h
        step = step.reshape(w.shape)
        return (smooth(w + step) - smooth(w - step)) / (2 * h)

    expected = np.reshape([difference(i) for i in range(w.size)], w.shape)
    w32, c32 = jnp.float32(w), jnp.float32(cotangent)
    gradient = pull(lambda w: tanh_weights(w, 3), w32, c32)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5)
    # The largest weight feels all the others through the maximum.
    largest = np.unravel_index(np.abs(w).argmax(), w.shape)
    alone = cotangent / np.cosh(w) ** 2 / np.tanh(np.abs(w)).max()
    assert abs(gradient[largest] - alone[largest]) > 0.1


def test_rescaled_gradient_is_that_of_tanh(key):
    key_w, key_c = jax.random.split(key)
    w, cotangent = jax.random.normal(key_w, (40,)), jax.random.normal(key_c, (40,))
    gradient = pull(lambda w: tanh_weights(w, 2, rescale=True), w, cotangent)
    np.testing.assert_allclose(gradient, cotangent / np.cosh(w) ** 2, rtol=1e-5)


@pytest.mark.parametrize("rescale", (False, True))
@pytest.mark.parametrize("size", (0.0, 1e-30))
def test_vanishing_weights_stay_finite(size, rescale):
    w = jnp.full((2, 3), size)
    value, vjp = jax.vjp(lambda w: tanh_weights(w, 8, rescale), w)
    chex.assert_tree_all_finite((value, vjp(jnp.ones((2, 3)))))
    if rescale:
        np.testing.assert_array_equal(value, jnp.zeros((2, 3)))


def test_sign_weights_share_the_mean_magnitude():
    w = jnp.array([[1.0, -2.0, 0.0], [-0.0, 4.0, -5.0]])
    signs = np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])
    np.testing.assert_allclose(sign_weights(w), 2.0 * signs)
    per_channel = sign_weights(w, per_channel=True)
    np.testing.assert_allclose(per_channel, np.array([[1.0], [3.0]]) * signs)


@pytest.mark.parametrize("per_channel", (False, True))
def test_sign_weights_gradient_is_the_identity(key, per_channel):
    key_w, key_c = jax.random.split(key)
    w, cotangent = jax.random.normal(key_w, (4, 9)), jax.random.normal(key_c, (4, 9))
    gradient = pull(lambda w: sign_weights(w, per_channel), w, cotangent)
    np.testing.assert_array_equal(gradient, cotangent)


def test_quantize_weights_picks_the_equation(key):
    w = jax.random.normal(key, (5, 6))
    np.testing.assert_array_equal(quantize_weights(w, 1), sign_weights(w))
    np.testing.assert_array_equal(quantize_weights(w, 4), tanh_weights(w, 4))
    np.testing.assert_array_equal(
        quantize_weights(w, 4, rescale=True), tanh_weights(w, 4, rescale=True)
    )
    assert quantize_weights(w, 32) is w


@pytest.mark.parametrize("bits", BITS)
def test_activations_are_clipped_and_rounded(key, bits):
    x = 2.0 * jax.random.normal(key, (300,))
    steps = 2**bits - 1
    expected = np.round(np.clip(x, 0, 1) * np.float32(steps)) / steps
    np.testing.assert_allclose(clipped_activation(x, bits), expected, atol=1e-6)
    gradient = pull(lambda x: clipped_activation(x, bits), x, jnp.ones(300))
    np.testing.assert_array_equal(gradient, (x > 0) & (x < 1))


def test_full_precision_activation_is_relu():
    x = jnp.array([-1.0, 0.0, 0.5, 3.0])
    np.testing.assert_array_equal(clipped_activation(x, 32), [0.0, 0.0, 0.5, 3.0])
    gradient = pull(lambda x: clipped_activation(x, 32), x, jnp.ones(4))
    np.testing.assert_array_equal(gradient, [0.0, 0.0, 1.0, 1.0])


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", ((6, 11), (6, 3, 5)))
def test_gradients_are_equation_11_without_a_key(key, bits, shape):
    key_x, key_dr = jax.random.split(key)
    x = jax.random.normal(key_x, shape)
    # Ranges from 1e-2 to 1e3: one for all examples would drown most of them.
    ranges = jnp.logspace(-2, 3, 6).reshape(6, *[1] * (len(shape) - 1))
    dr = ranges * jax.random.normal(key_dr, shape)
    value, vjp = jax.vjp(lambda x: quantize_gradient(x, bits), x)
    np.testing.assert_array_equal(value, x)
    expected = gradient_reference(np.asarray(dr, np.float64), 0.0, bits)
    np.testing.assert_allclose(vjp(dr)[0] / ranges, expected / ranges, atol=1e-5)


@pytest.mark.parametrize("bits", BITS)
def test_noisy_gradients_stay_on_the_grid_within_one_step(key, bits):
    key_dr, key_noise = jax.random.split(key)
    dr = jax.random.normal(key_dr, (50, 40))
    dr_hat = pull(lambda x: quantize_gradient(x, bits, key_noise), dr, dr)
    top, steps = np.abs(dr).max(1, keepdims=True), 2**bits - 1
    codes = steps * (np.asarray(dr_hat, np.float64) / (2 * top) + 0.5)
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-3)
    assert codes.min() > -1e-3 and codes.max() < steps + 1e-3
    assert np.max(np.abs(dr_hat - dr) / top) <= 2 / steps * (1 + 1e-5)
    extreme = np.abs(dr) == top
    np.testing.assert_allclose(dr_hat[extreme], dr[extreme], rtol=1e-6)


@pytest.mark.parametrize("bits", (1, 2, 4))
def test_noisy_gradients_are_unbiased(key, bits):
    draws = 4000
    dr = jnp.array([[-1.0, -0.97, -0.4, 0.0, 0.1, 0.33, 0.99, 0.2]])
    draw = jax.vmap(lambda k: pull(lambda x: quantize_gradient(x, bits, k), dr, dr)[0])
    dr_hat = np.asarray(draw(jax.random.split(key, draws)), np.float64)
    step = 2.0 / (2**bits - 1)
    below = (np.asarray(dr[0], np.float64) + 1) % step
    sigma = np.sqrt(below * (step - below))  # of a rounding up with odds below / step
    assert np.all(np.abs(dr_hat.mean(0) - dr[0]) <= 5 * sigma / draws**0.5 + 1e-6)
    assert np.std(dr_hat[:, 1]) > 0.0


@pytest.mark.parametrize("noisy", (False, True))
def test_zero_gradients_stay_zero(key, noisy):
    dr = jnp.zeros((3, 4)).at[1].set(1.0)
    noise_key = key if noisy else None
    dr_hat = pull(lambda x: quantize_gradient(x, 3, noise_key), dr, dr)
    np.testing.assert_array_equal(dr_hat, dr)


def test_full_precision_gradients_pass(key):
    x = jax.random.normal(key, (3, 4))
    assert quantize_gradient(x, 32, key) is x


@pytest.mark.parametrize("bits", (1, 4))
def test_jit_and_vmap_change_nothing(key, bits):
    key_x, key_dr, key_noise = jax.random.split(key, 3)
    x = jax.random.uniform(key_x, (3, 8, 6), minval=-1.0, maxval=1.5)
    dr = jax.random.normal(key_dr, (3, 8, 6))

    def client(key, x, dr):
        def maps(x):
            y = clipped_activation(x, bits) + quantize_weights(x, bits, rescale=True)
            return quantize_gradient(y, bits, key)

        value, vjp = jax.vjp(maps, x)
        return value, vjp(dr)[0]

    noise_keys = jax.random.split(jax.random.clone(key_noise), 3)
    loop = [client(*each) for each in zip(noise_keys, x, dr)]
    loop = jax.tree.map(lambda *leaves: jnp.stack(leaves), *loop)
    noise_keys = jax.random.split(key_noise, 3)
    jitted = jax.jit(jax.vmap(client))(noise_keys, x, dr)
    chex.assert_trees_all_close(jitted, loop, atol=1e-5)


@pytest.mark.parametrize("bits", (0, 9, 2.0, True))
@pytest.mark.parametrize("name", MAPS)
def test_widths_out_of_range_are_refused(name, bits):
    with pytest.raises(ValueError, match=f"must be an integer in 1..8.*bits={bits}"):
        MAPS[name](jnp.ones((2, 2)), bits)


@pytest.mark.parametrize("bits", (1, 9, 32))
def test_tanh_weights_refuse_other_widths(bits):
    with pytest.raises(ValueError, match=f"integer in 2..8, got bits={bits}"):
        tanh_weights(jnp.ones(2), bits)
