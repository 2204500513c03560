import jax
import numpy as np
import scipy.special

from flq_jax.wireless import link

packet_error = jax.jit(link.packet_error)
rayleigh_packet_error = jax.jit(link.rayleigh_packet_error)


def test_rate_by_hand():
    """0.1 W over a loss of 100 dB against 1e-13 + 3e-13 W: SNR 25; 1 MHz log2(26)."""
    per_w = link.snr_per_w(1e-10, 1e-13, 3e-13)
    np.testing.assert_allclose(per_w, 250.0)
    rate_bps = jax.jit(link.shannon_rate_bps)(1e6, 0.1 * per_w)
    np.testing.assert_allclose(rate_bps, 4.70044e6, 1e-5)


def test_packet_error_by_hand():
    error = packet_error(np.float32([0, 1, 100]), 1.0)
    np.testing.assert_allclose(error, [1.0, 0.632121, 0.00995017], rtol=1e-5)
    np.testing.assert_array_equal(packet_error(np.full(3, 5, np.float32), 0.0), 0.0)


def test_no_signal_is_no_packet_even_without_a_waterfall():
    mean_snr = np.float32([0, 5])
    np.testing.assert_array_equal(packet_error(mean_snr, 0.0), [1.0, 0.0])
    error = rayleigh_packet_error(mean_snr, 0.0)
    np.testing.assert_allclose(error, [1.0, 0.0], atol=1e-5)


def test_rayleigh_packet_error_is_a_bessel_function():
    """integral_0^inf exp(-o - a / o) do = 2 sqrt(a) K_1(2 sqrt(a))."""
    a = np.geomspace(1e-6, 1e2, 100)
    root = 2 * np.sqrt(a)
    expected = 1 - root * scipy.special.kv(1, root)
    with jax.enable_x64(True):
        error = rayleigh_packet_error(1 / a, 1.0)
    np.testing.assert_allclose(error, expected, rtol=1e-5, atol=1e-7)


def test_rayleigh_packet_error_on_a_matrix():
    mean_snr = np.float32([[1.0, 10.0], [100.0, 1e3]])
    error = rayleigh_packet_error(mean_snr, 1.0)
    flat = np.asarray(rayleigh_packet_error(mean_snr.ravel(), 1.0))
    np.testing.assert_allclose(error, flat.reshape(2, 2), rtol=1e-6)


def test_ofdma_adds_the_blocks_up():
    per_w = np.full((3, 4), 30, np.float32)
    held = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
    power_w = np.float32([0.1, 0.2, 0.3])
    rate = jax.jit(link.ofdma_rate_bps)(power_w, per_w, held, 1e6)
    # Twice the power on twice the blocks is twice the rate, of log2(1 + 3) = 2.
    np.testing.assert_allclose(rate, [2e6, 4e6, 0.0])


def test_fdma_rate_saturates_with_bandwidth():
    b, power_w, gain = np.float32([[0, 1e3, 1e6, 1e12], [0.1] * 4, [1e-13] * 4])
    rate = jax.jit(link.fdma_rate_bps)(power_w, gain, b, 1e-20)  # P g / N0 = 1e6 Hz
    np.testing.assert_allclose(rate, [0, 9.9672e3, 1e6, 1.442695e6], rtol=1e-4)


def test_tdma_serves_in_order_of_readiness():
    ready_s = np.float32([3.0, 0.0, 1.0, 9.0, 2.0])
    upload_s = np.float32([1.0, 2.0, 0.5, 1.0, 0.0])
    finish_s = jax.jit(link.tdma_finish_s)(ready_s, upload_s)
    # 1: 0-2; 2 waits: 2-2.5; 0: 3-4; 3: 9-10; 4 has nothing to send.
    np.testing.assert_allclose(finish_s, [4.0, 2.0, 2.5, 10.0, 2.0])


def test_tdma_passes_over_who_has_no_rate():
    ready_s = np.float32([3.0, 0.0, 1.0, 9.0, 2.0])
    upload_s = np.float32([1.0, np.inf, 2.5, 1.0, 0.0])
    finish_s = jax.jit(link.tdma_finish_s)(ready_s, upload_s)
    np.testing.assert_allclose(finish_s, [4.5, np.inf, 3.5, 10.0, 2.0])


def test_downlinks():
    rate = np.float32([1e6, 4e6, 1e3, 2e6])
    listening = np.array([True, True, False, True])
    slowest = jax.jit(link.broadcast_rate_bps)(rate, listening)
    assert float(slowest) == 1e6  # of those who listen
    broadcast = jax.jit(link.broadcast_latency_s)
    unicast = jax.jit(link.unicast_latency_s)
    np.testing.assert_allclose(broadcast(2e6, rate, listening), 2.0)
    np.testing.assert_allclose(unicast(2e6, rate, listening), 3.5)
    nobody = np.zeros(4, bool)
    assert float(broadcast(2e6, rate, nobody)) == 0.0
    assert float(unicast(2e6, rate, nobody)) == 0.0
    deaf = rate * np.float32([0, 1, 1, 1])
    assert float(broadcast(0.0, deaf, listening)) == 0.0
    assert float(unicast(0.0, deaf, listening)) == 0.0
    assert np.isinf(broadcast(2e6, deaf, listening))
    assert np.isinf(unicast(2e6, deaf, listening))


def test_the_snr_for_an_error_has_that_error():
    errors = np.float32([0.01, 0.5, 0.99])
    snr_for_error = jax.jit(link.snr_for_error)
    snr = snr_for_error(errors, 1.5)
    np.testing.assert_allclose(packet_error(snr, 1.5), errors, rtol=1e-5)
    assert float(snr_for_error(1.0, 1.5)) == 0.0
    assert float(snr_for_error(0.1, 0.0)) == 0.0
