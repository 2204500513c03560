import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.wireless import cost


def test_bit_operations_by_hand():
    assert cost.dense_macs((784, 10)) == 7840
    assert cost.dense_macs((784, 200, 10)) == 784 * 200 + 200 * 10
    # W1 A2 G4: 2 + 4 + 8 = 14 a product; floats: 3 x 1024.
    assert cost.training_bit_operations(100, 1, 2, 4) == 1400
    assert cost.training_bit_operations(100, 32, 32, 32) == 307200


@pytest.mark.parametrize("bits", [0, 33])
def test_bit_operations_refuse_widths(bits):
    with pytest.raises(ValueError, match=f"activation_bits={bits}"):
        cost.training_bit_operations(100, 1, bits, 4)


def test_computing_by_hand():
    """20 cycles a bit on 4e7 bits, at 1 GHz with alpha = 2e-28: 0.8 s and 0.08 J."""
    cycles = 20 * 4e7
    np.testing.assert_allclose(cost.compute_latency_s(cycles, 1e9), 0.8)
    np.testing.assert_allclose(cost.compute_energy_j(cycles, 1e9, 1e-28), 0.08)
    np.testing.assert_allclose(cost.compute_energy_j(cycles, 2e9, 1e-28), 0.32)


def test_uploads_by_hand():
    """1 Mbit at 2 Mbit/s and 0.1 W: half a second, 50 mJ; twice the bits, twice both."""
    latency_s = cost.upload_latency_s(jnp.asarray([1e6, 2e6, 0.0]), jnp.full(3, 2e6))
    np.testing.assert_allclose(latency_s, [0.5, 1.0, 0.0])
    np.testing.assert_allclose(cost.upload_energy_j(0.1, latency_s), [0.05, 0.1, 0.0])
    # On air no longer than the deadline.
    np.testing.assert_allclose(
        cost.upload_energy_j(0.1, latency_s, cutoff_s=0.6), [0.05, 0.06, 0.0]
    )


def test_no_rate_takes_for_ever_unless_silent():
    latency_s = cost.upload_latency_s(jnp.asarray([8, 0]), jnp.zeros(2))
    np.testing.assert_array_equal(latency_s, [np.inf, 0.0])
    np.testing.assert_array_equal(cost.upload_energy_j(0.0, latency_s), [0.0, 0.0])


def test_the_slowest_and_the_deadline_end_the_round():
    latency_s = jnp.asarray([1.0, 5.0, 2.0, np.inf])
    scheduled = jnp.asarray([True, False, True, False])
    assert cost.round_latency_s(scheduled, latency_s) == 2.0
    everyone = jnp.ones(4, bool)
    assert cost.round_latency_s(everyone, latency_s, 3.0) == 3.0
    assert cost.round_latency_s(jnp.zeros(4, bool), latency_s) == 0.0
    arrived = cost.arrives(everyone, latency_s, 2.0)
    np.testing.assert_array_equal(arrived, [True, False, True, False])
    without = cost.arrives(everyone, latency_s)
    np.testing.assert_array_equal(without, [True, True, True, False])


def test_stragglers_are_slower_by_their_mean(key):
    factor = cost.straggler_factor(key, (100_000,), 0.5)
    assert jnp.all(factor >= 1.0)
    assert abs(float(jnp.mean(factor)) - 1.5) <= 5 * 0.5 / np.sqrt(100_000)


def test_a_ledger_of_a_million_rounds():
    """In float32 a plain sum of 0.1 s rounds would be off by a per cent."""

    def rounds(ledger, _):
        return cost.spend(ledger, jnp.float32(0.1), jnp.asarray([0.1, 0.0])), None

    ledger = cost.empty_ledger(2)
    run = jax.jit(lambda ledger: jax.lax.scan(rounds, ledger, length=1_000_000)[0])
    ledger = run(ledger)
    assert ledger.elapsed_s.dtype == jnp.float32
    np.testing.assert_allclose(ledger.elapsed_s, 1e5, rtol=1e-6)
    np.testing.assert_allclose(ledger.energy_j, [1e5, 0.0], rtol=1e-6)
