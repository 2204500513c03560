import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.wireless import channel


def mean_within(x, mean, deviation):
    """The sample mean within 5 sigma of its expectation."""
    assert abs(np.mean(x, dtype=float) - mean) <= 5 * deviation / np.sqrt(x.size)


def test_decibels():
    np.testing.assert_allclose(
        channel.from_db(jnp.asarray([0.0, 10, -30])), [1, 10, 1e-3]
    )
    # -174 dBm/Hz over 1 MHz is -114 dBm, 10^-11.4 mW.
    np.testing.assert_allclose(channel.noise_w(1e6), 3.981e-15, rtol=1e-3)


def test_disk_has_equal_density(key):
    @jax.jit
    def place(key):
        position_m = channel.disk(key, 20_000, 10.0, 100.0)
        return position_m, channel.distance_m(position_m)

    position_m, distance_m = map(np.asarray, place(key))
    assert distance_m.shape == (20_000,)
    assert np.all((10 * (1 - 1e-6) <= distance_m) & (distance_m <= 100 * (1 + 1e-6)))
    # The area within d grows as d^2: uniform in [0, 1], of deviation sqrt(1/12).
    mean_within((distance_m**2 - 100) / (1e4 - 100), 0.5, 12**-0.5)
    mean_within(position_m / distance_m[:, None], 0.0, 0.5**0.5)


@pytest.mark.parametrize("radii", [(5.0, 5.0), (-1.0, 5.0), (float("nan"), 1.0)])
def test_disk_refuses_an_empty_ring(key, radii):
    with pytest.raises(ValueError, match=f"inner_m={radii[0]}"):
        channel.disk(key, 3, *radii)


def test_path_losses_by_hand():
    d = jnp.asarray([1.0, 10.0, 1000.0])
    np.testing.assert_allclose(
        channel.power_law_gain(d, 4.0, 1e-4), [1e-4, 1e-8, 1e-16]
    )
    db = 10 * jnp.log10(channel.log_distance_gain(d))
    np.testing.assert_allclose(db, [-15.3, -52.9, -128.1], atol=1e-3)


def test_rayleigh_is_exponential_of_mean_one(key):
    gain = np.asarray(jax.jit(lambda k: channel.rayleigh_gain(k, (100_000,)))(key))
    mean_within(gain, 1.0, 1.0)
    mean_within(gain > 1.0, np.exp(-1), 0.5)


@pytest.mark.parametrize("factor", [0.0, 1.0, 10.0])
def test_rician_has_mean_one_and_the_known_variance(key, factor):
    gain = np.asarray(channel.rician_gain(key, (100_000,), factor))
    variance = (2 * factor + 1) / (factor + 1) ** 2
    mean_within(gain, 1.0, variance**0.5)
    mean_within((gain - 1.0) ** 2, variance, 3 * variance)


@pytest.mark.parametrize("factor", [-0.5, float("inf"), float("nan")])
def test_rician_refuses_a_negative_or_infinite_factor(key, factor):
    with pytest.raises(ValueError, match=f"factor={factor}"):
        channel.rician_gain(key, (1,), factor)


def test_shadowing_has_median_one(key):
    gain = jax.jit(lambda k: channel.shadowing_gain(k, (100_000,), 8.0))(key)
    gain = np.asarray(gain)
    mean_within(gain > 1.0, 0.5, 0.5)
    mean_within(10 * np.log10(gain), 0.0, 8.0)


def test_poisson_sir_refuses_infinite_interference(key):
    with pytest.raises(ValueError, match="exponent=2.0"):
        channel.poisson_sir(key, (1,), 2.0)


def test_fading_is_block_fading(key):
    """A draw per round, the same within it."""
    first, again = (
        channel.rayleigh_gain(jax.random.clone(key), (4,)) for _ in range(2)
    )
    other = channel.rayleigh_gain(jax.random.fold_in(key, 1), (4,))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
