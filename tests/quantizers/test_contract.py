"""What every quantizer promises, over all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import quantizers
from flq_jax.quantizers import geometric, sign, stochastic, tanh_grid, uniform

R = 4.0  # of the prescribed radius; no sample here lies outside
# name: (quantizer, bound on max |x - x_hat| given x, bits a coordinate, bits of sides)
QUANTIZERS = {
    "identity": (quantizers.identity(), lambda x: 0.0, 32, 0),
    "sign": (sign(), lambda x: jnp.max(jnp.abs(x)) + jnp.mean(jnp.abs(x)), 1, 32),
    **{
        f"uniform{b}": (uniform(b), lambda x, b=b: _top(x) / (2**b - 1), b, 32)
        for b in range(1, 9)
    },
    **{
        f"prescribed{b}": (
            uniform(b, geometric(R, 0.5)),
            lambda x, b=b: R / (2**b - 1),
            b,
            0,
        )
        for b in range(2, 9)
    },
    "stochastic1-max": (stochastic(1, "max"), lambda x: _top(x), 2, 32),
    "stochastic3": (stochastic(3), lambda x: jnp.linalg.norm(x) / 3, 3, 32),
    "stochastic127": (stochastic(127), lambda x: jnp.linalg.norm(x) / 127, 8, 32),
}
every = pytest.mark.parametrize(
    "quantizer, bound, bits, side_bits", QUANTIZERS.values(), ids=QUANTIZERS.keys()
)


def _top(x):
    return jnp.max(jnp.abs(x))


def roundtrip(quantizer, key, x):
    return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))


@every
@pytest.mark.parametrize("d", [1, 7, 256])
def test_error_within_stated_bound(quantizer, bound, bits, side_bits, d, key):
    del bits, side_bits
    key, key_x = jax.random.split(key)
    x = jax.random.normal(key_x, (d,))
    error = jnp.max(jnp.abs(x - roundtrip(quantizer, key, x)))
    assert error <= bound(x) * (1 + 1e-5)


@every
def test_a_message_costs_what_is_stated(quantizer, bound, bits, side_bits, key):
    del bound
    message = quantizer.encode(key, jnp.linspace(-1.0, 1.0, 100))
    layout = quantizer.layout(100)
    assert int(message.num_bits) == layout.num_bits == 100 * bits + side_bits
    assert message.codes.shape == (layout.num_codes,)
    assert message.side.shape == (layout.num_sides,)
    assert int(jnp.max(message.codes)) < 2**layout.widest


@every
def test_jit_is_eager_and_vmap_is_a_loop(quantizer, bound, bits, side_bits, key):
    del bound, bits, side_bits
    x = jax.random.normal(key, (3, 33))
    keys = jax.random.split(jax.random.fold_in(key, 1), 3)
    loop = jnp.stack(
        [roundtrip(quantizer, jax.random.clone(k), row) for k, row in zip(keys, x)]
    )
    mapped = jax.jit(jax.vmap(lambda k, row: roundtrip(quantizer, k, row)))(keys, x)
    np.testing.assert_allclose(mapped, loop, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in QUANTIZERS if "prescribed" not in n])
@pytest.mark.parametrize("d", [1, 9])
def test_zero_decodes_to_zero(name, d, key):
    np.testing.assert_array_equal(
        roundtrip(QUANTIZERS[name][0], key, jnp.zeros(d)), 0.0
    )


@pytest.mark.parametrize("name", [n for n in QUANTIZERS if "prescribed" not in n])
@pytest.mark.parametrize("size", [1e-42, 1e-30, 1e30])
def test_extreme_inputs_stay_finite_and_near(name, size, key):
    quantizer = QUANTIZERS[name][0]
    x = jnp.array([1.0, -0.5, 0.25]) * size
    x_hat = roundtrip(quantizer, key, x)
    assert jnp.all(jnp.isfinite(x_hat)) or (name.startswith("stoch") and size > 1e19)
    if jnp.all(jnp.isfinite(x_hat)):
        assert jnp.max(jnp.abs(x - x_hat)) <= 2.0 * size


def test_laq_codes_by_hand(key):
    # R = 1, b = 2: levels -1, -1/3, 1/3, 1; half-way points round up.
    x = jnp.array([-1.0, -0.5, -0.1, 0.1, 0.5, 1.0])
    message = uniform(2).encode(key, x)
    np.testing.assert_array_equal(message.codes, [0, 1, 1, 2, 2, 3])
    np.testing.assert_allclose(
        uniform(2).decode(key, message),
        [-1, -1 / 3, -1 / 3, 1 / 3, 1 / 3, 1],
        rtol=1e-6,
    )


def test_sign_is_a_contraction_by_the_stated_factor(key):
    x = jax.random.normal(key, (1000,))
    x_hat = roundtrip(sign(), key, x)
    delta = jnp.sum(jnp.abs(x)) ** 2 / (x.size * jnp.sum(x**2))
    np.testing.assert_allclose(
        jnp.sum((x - x_hat) ** 2), (1 - delta) * jnp.sum(x**2), rtol=1e-4
    )


def test_sign_of_zero_is_plus(key):
    np.testing.assert_array_equal(
        roundtrip(sign(), key, jnp.array([0.0, -3.0, 3.0])), [2.0, -2.0, 2.0]
    )


@pytest.mark.parametrize("levels, norm", [(1, "l2"), (3, "l2"), (1, "max"), (7, "max")])
def test_stochastic_rounding_is_unbiased_with_bounded_variance(levels, norm, key):
    draws, d = 4000, 8
    x = jax.random.normal(key, (d,))
    keys = jax.random.split(jax.random.fold_in(key, 1), draws)
    samples = jax.vmap(lambda k: roundtrip(stochastic(levels, norm), k, x))(keys)
    spread = jnp.std(samples, axis=0)
    assert jnp.all(jnp.abs(jnp.mean(samples, 0) - x) <= 5 * spread / draws**0.5 + 1e-6)
    if norm == "l2":
        bound = min(d / levels**2, d**0.5 / levels) * jnp.sum(x**2)
        assert jnp.mean(jnp.sum((samples - x[None]) ** 2, axis=1)) <= 1.05 * bound


def test_overload_is_flagged_iff_outside_the_radius_and_saturates(key):
    quantizer = uniform(3, geometric(1.0, 0.5))
    assert not quantizer.overload(jnp.array([1.0, -1.0]))
    outside = jnp.array([1.01, -7.0, 0.0])
    assert quantizer.overload(outside)
    x_hat = roundtrip(quantizer, key, outside)
    np.testing.assert_allclose(x_hat[:2], [1.0, -1.0], rtol=1e-6)


def test_the_prescribed_radius_is_geometric(key):
    quantizer = uniform(4, geometric(3.0, 0.5))
    for k in (0, 1, 5):
        top = roundtrip(quantizer.at(k), jax.random.clone(key), jnp.full(1, 100.0))
        np.testing.assert_allclose(top, 3.0 * 0.5**k, rtol=1e-5)
    assert uniform(4).at(7) is not None


def test_tanh_grid_is_next_to_the_normalised_tanh(key):
    x = jax.random.normal(key, (500,))
    for bits in range(2, 9):
        x_hat = roundtrip(tanh_grid(bits), key, x)
        exact = jnp.tanh(x) / jnp.max(jnp.abs(jnp.tanh(x)))
        assert jnp.max(jnp.abs(x_hat - exact)) <= (1 + 1e-5) / (2**bits - 1)
        assert jnp.max(jnp.abs(x_hat)) == 1.0


def test_segments_have_ranges_of_their_own(key):
    x = jnp.array([1.0, -1.0, 0.001, 0.0005])
    per_tensor = quantizers.segmented(uniform(8), (2, 2))
    x_hat = roundtrip(per_tensor, key, x)
    assert jnp.max(jnp.abs(x - x_hat)[2:]) <= 0.001 / 255 * (1 + 1e-5)
    assert per_tensor.layout(4).num_bits == 4 * 8 + 2 * 32
    assert not per_tensor.overload(x)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: uniform(0), "bits must be an integer in 1..8, got bits=0"),
        (lambda: uniform(9), "bits=9"),
        (lambda: uniform(2.0), "bits=2.0"),
        (lambda: uniform(1, geometric(1.0, 0.5)), "never contracts.*bits=1"),
        (lambda: geometric(0.0, 0.5), "scale must be positive"),
        (lambda: geometric(1.0, 1.5), r"rate must be in \(0, 1\], got rate=1.5"),
        (lambda: stochastic(0), "levels=0"),
        (lambda: stochastic(128), "levels=128"),
        (lambda: stochastic(1, "l1"), "norm='l1'"),
        (lambda: tanh_grid(1), "bits=1"),
        (lambda: quantizers.segmented(sign(), (3, 0)), r"sizes=\(3, 0\)"),
        (lambda: quantizers.segmented(sign(), (3, 2)).layout(6), "d=6"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
