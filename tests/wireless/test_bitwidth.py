import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.wireless import bitwidth

P = 7850
WIDTHS = bitwidth.WIDTHS
choose = jax.jit(bitwidth.widest, static_argnames=("widths", "least_energy"))


def test_message_lengths_by_hand():
    lengths = bitwidth.message_lengths(P)
    np.testing.assert_array_equal(lengths, [7882, 15732, 31432, 62832, 251200])
    bare = bitwidth.message_lengths(P, (1, 3), num_sides=0)
    np.testing.assert_array_equal(bare, [7850, 23550])


def test_message_lengths_must_fit():
    with pytest.raises(ValueError, match=r"2\*\*31 bits \(i32\), got 3,200,000,000"):
        bitwidth.message_lengths(10**8)


@pytest.mark.parametrize("widths", [(2, 1), (1, 1), (1, 2, 4)])
def test_widths_must_ascend_one_to_each_length(widths):
    lengths = bitwidth.message_lengths(P, (1, 2))
    with pytest.raises(ValueError, match=r"got widths=\(" + f"{widths[0]}, "):
        bitwidth.widest(lengths, 1.0, 1.0, 1.0, 1e6, 1.0, widths)


def test_weak_clients_compress_and_strong_ones_do_not():
    """1 MHz for 60 ms at 10 mW: 60 kbit times log2(1 + SNR)."""
    snr = jnp.asarray([1e3, 2.5, 0.7, 0.3, 0.1, 0.01])
    width = choose(
        bitwidth.message_lengths(P), 0.06, 1.0, snr / 0.01, 1e6, jnp.full(6, 0.01)
    )
    # capacity 598, 108, 46, 22.7, 8.2, 0.86 kbit
    np.testing.assert_array_equal(width.bits, [32, 8, 4, 2, 1, 0])
    lengths = [251200, 62832, 31432, 15732, 7882, 0]
    np.testing.assert_array_equal(width.num_bits, lengths)
    np.testing.assert_array_equal(width.choice, [4, 3, 2, 1, 0, -1])
    np.testing.assert_array_equal(width.upload.feasible, [True] * 5 + [False])


def test_a_smaller_budget_of_energy_compresses():
    budgets_j = jnp.asarray([1.0, 5e-4, 1e-4, 4e-5, 1.2e-5, 1e-6])
    lengths, full = bitwidth.message_lengths(P), jnp.full(6, 0.5)
    width = choose(lengths, 1.0, budgets_j, jnp.full(6, 500.0), 1e6, full)
    assert jnp.all(width.bits[:-1] >= width.bits[1:])
    assert width.bits[0] == 32 and width.bits[-1] == 0


@pytest.mark.parametrize("least_energy", [True, False])
def test_the_largest_that_any_power_can_send(least_energy):
    """1,000 links against a search over powers and widths."""
    rng = np.random.default_rng(0)
    n = 1000
    deadline_s, energy_j = 10 ** rng.uniform(-3, 0, n), 10 ** rng.uniform(-6, -1, n)
    snr_per_w, power_max_w = 10 ** rng.uniform(0, 5, n), rng.uniform(0.01, 1, n)
    lengths = bitwidth.message_lengths(P)
    with jax.enable_x64(True):
        width = choose(
            lengths,
            deadline_s,
            energy_j,
            snr_per_w,
            1e6,
            power_max_w,
            least_energy=least_energy,
        )
        width = jax.tree.map(np.asarray, width)
    power_w = power_max_w * np.geomspace(1e-12, 1, 4000)[:, None]
    rate_bps = 1e6 * np.log1p(power_w * snr_per_w) / np.log(2)
    bits = np.zeros(n, int)
    for w, length in zip(WIDTHS, np.asarray(lengths)):
        fits = (length / rate_bps <= deadline_s) & (
            power_w * length / rate_bps <= energy_j
        )
        bits[fits.any(axis=0)] = w
    # The grid of powers can miss a window narrower than its step; it finds no other.
    assert np.all(width.bits >= bits)
    assert np.mean(width.bits == bits) > 0.99
    assert set(bits) == {0, *WIDTHS}
    sent = width.upload.feasible
    np.testing.assert_array_equal(sent, width.bits > 0)
    assert np.all(width.upload.latency_s[sent] <= deadline_s[sent] * (1 + 1e-9))
    assert np.all(width.upload.energy_j[sent] <= energy_j[sent] * (1 + 1e-9))
    assert np.all(width.upload.power_w[sent] <= power_max_w[sent])
    np.testing.assert_array_equal(width.num_bits == 0, ~sent)


def test_more_power_is_faster_and_dearer():
    args = bitwidth.message_lengths(P), 0.1, 1e-3, jnp.full(1, 1e4), 1e6, jnp.ones(1)
    frugal, hasty = choose(*args), choose(*args, least_energy=False)
    assert frugal.bits == hasty.bits == 32
    assert hasty.upload.latency_s < frugal.upload.latency_s
    assert hasty.upload.energy_j > frugal.upload.energy_j
