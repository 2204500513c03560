"""One band shared by frequency (FDMA): who gets how many hertz.

On b hertz a client at full power sends b log2(1 + a / b) bits per second, where
a = P g / N0, in hertz, is the band over which its SNR would be 1. The rate grows with
b, but never beyond a / ln 2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.wireless.cost import upload_energy_j, upload_latency_s
from flq_jax.wireless.link import LN2, fdma_rate_bps
from flq_jax.wireless.power import power_for_deadline
from flq_jax.wireless.special import bisect, inverse_exprel, one_plus_lambert_w, phi


class Split(NamedTuple):
    """A split of the band among the clients.

    Attributes:
        bandwidth_hz: f[m]; they add up to the band at most.
        power_w: f[m].
        latency_s: f[m], time on air; infinite for the infeasible.
        energy_j: f[m], of sending; infinite for the infeasible.
        feasible: bool[m]; the others get no bandwidth.
    """

    bandwidth_hz: jax.Array
    power_w: jax.Array
    latency_s: jax.Array
    energy_j: jax.Array
    feasible: jax.Array


def required_bandwidth_hz(rate_bps: jax.Array, full_snr_hz: jax.Array) -> jax.Array:
    """The b at which b log2(1 + a / b) = rate; infinite if no bandwidth suffices.

    With u = ln(1 + a / b) and q = rate ln 2: (e^u - 1) / u = a / q, b = q / u.

    Args:
        rate_bps: f[...]; a rate of 0 needs no bandwidth.
        full_snr_hz: a = P g / N0, f[...].
    """
    nats = rate_bps * LN2
    excess = full_snr_hz / jnp.where(nats > 0.0, nats, 1.0)
    u = inverse_exprel(jnp.maximum(excess, 1.0))
    needed_hz = jnp.where(u > 0.0, nats / jnp.where(u > 0.0, u, 1.0), jnp.inf)
    return jnp.where(nats > 0.0, needed_hz, 0.0)


def admit(required_hz: jax.Array, band_hz: jax.Array) -> jax.Array:
    """The largest set of clients whose needs fit the band: the least needy first.

    Args:
        required_hz: f[m], infinite for the hopeless.
        band_hz: f[].

    Returns:
        bool[m].
    """
    order = jnp.argsort(required_hz, stable=True)
    fits = jnp.cumsum(required_hz[order]) <= band_hz
    return jnp.zeros(required_hz.shape, bool).at[order].set(fits)


def least_makespan(
    num_bits: jax.Array,
    ready_s: jax.Array,
    power_w: jax.Array,
    gain: jax.Array,
    noise_w_per_hz: jax.Array | float,
    band_hz: jax.Array,
) -> Split:
    """min T,   ready_n + Z_n / rate_n(b_n) <= T,   sum b_n <= band.

    At the optimum all senders finish together, so a bisection on T remains: the
    bandwidth that a given T requires is known in closed form and falls with T.

    Args:
        num_bits: Z, f[m]; the silent get no bandwidth.
        ready_s: f[m], when each has computed.
        power_w: f[m], each client's power, over whatever band it gets.
        gain: f[m]; infeasible where it is 0.
        noise_w_per_hz: N0.
        band_hz: f[], above 0.
    """
    full_snr_hz = power_w * gain / noise_w_per_hz
    feasible = (num_bits <= 0) | (full_snr_hz > 0.0)
    sends = feasible & (num_bits > 0)
    last_s = jnp.max(jnp.where(sends, ready_s, -jnp.inf), initial=-jnp.inf)

    def requirement_hz(rest_s):
        slack_s = jnp.where(sends, rest_s + (last_s - ready_s), 1.0)
        rate_bps = jnp.where(sends, num_bits / slack_s, 0.0)
        return required_bandwidth_hz(rate_bps, full_snr_hz)

    def alone_s(share_hz):
        shares_hz = jnp.full_like(full_snr_hz, share_hz)
        rate_bps = fdma_rate_bps(power_w, gain, shares_hz, noise_w_per_hz)
        return jnp.where(sends, num_bits / jnp.where(sends, rate_bps, 1.0), 0.0)

    # The time after the last has computed: more than the last's own upload on the whole
    # band, and no more than the slowest upload on equal shares. Bisected in its log.
    least_s = jnp.max(jnp.where(ready_s == last_s, alone_s(band_hz), 0.0))
    most_s = jnp.max(alone_s(band_hz / jnp.maximum(jnp.sum(sends), 1)))
    low, high = (jnp.log(jnp.where(s > 0.0, s, 1.0)) for s in (least_s, most_s))
    _, log_rest = bisect(
        lambda log_s: jnp.sum(requirement_hz(jnp.exp(log_s))) > band_hz, low, high
    )
    bandwidth_hz = requirement_hz(jnp.exp(log_rest))
    rate_bps = fdma_rate_bps(power_w, gain, bandwidth_hz, noise_w_per_hz)
    latency_s = upload_latency_s(num_bits, rate_bps)
    energy_j = upload_energy_j(power_w, latency_s)
    return Split(bandwidth_hz, power_w, latency_s, energy_j, feasible)


def least_energy(
    num_bits: jax.Array,
    airtime_s: jax.Array,
    power_max_w: jax.Array,
    gain: jax.Array,
    noise_w_per_hz: jax.Array | float,
    band_hz: jax.Array,
) -> Split:
    """min sum_n t_n p_n(b_n),   p_n = (N0 b_n / g_n) (e^(q_n / b_n) - 1) <= p_max.

    Each client sends for t_n at q_n = Z_n ln 2 / t_n nats per second; bandwidth saves
    power. The dual price lambda, in joules per hertz, sets each spectral efficiency,

        v_n = q_n / b_n = 1 + W_0((lambda g_n / (t_n N0) - 1) / e),

    unless p_max asks for more bandwidth, and is bisected until the band is used up.

    Where not all fit even at p_max, the largest set that does is served (`admit`) and
    the others are infeasible.

    Args:
        num_bits: Z, f[m]; the silent get no bandwidth.
        airtime_s: t, f[m], from having computed to the deadline.
        power_max_w: f[m].
        gain: f[m].
        noise_w_per_hz: N0.
        band_hz: f[], above 0.
    """
    wants = (num_bits > 0) & (airtime_s > 0.0) & (gain > 0.0)
    time_s = jnp.where(wants, airtime_s, 1.0)
    nats = jnp.where(wants, num_bits * LN2 / time_s, 0.0)
    full_snr_hz = power_max_w * gain / noise_w_per_hz
    least_hz = required_bandwidth_hz(nats / LN2, full_snr_hz)
    admitted = admit(jnp.where(wants, least_hz, jnp.inf), band_hz)
    least_hz = jnp.where(admitted, least_hz, 0.0)
    worth = jnp.where(wants, gain, 1.0) / (time_s * noise_w_per_hz)
    bandwidth_hz = _priced_bandwidth_hz(nats, worth, least_hz, admitted, band_hz)
    safe_hz = jnp.where(admitted, bandwidth_hz, 1.0)
    bits = jnp.where(admitted, num_bits, 0)
    snr_per_w = gain / (noise_w_per_hz * safe_hz)
    upload = power_for_deadline(bits, time_s, snr_per_w, safe_hz, jnp.inf)
    power_w = jnp.minimum(upload.power_w, power_max_w)
    feasible = admitted | (num_bits <= 0)
    never = jnp.where(feasible, 0.0, jnp.inf)
    energy_j = power_w * time_s + never
    return Split(bandwidth_hz, power_w, upload.latency_s + never, energy_j, feasible)


def _priced_bandwidth_hz(nats, worth, least_hz, admitted, band_hz):
    """max(nats / v, least) with phi(v) = price worth, at the price that sells the band."""
    log_worth = jnp.log(worth)
    log_most = jnp.log(jnp.finfo(worth.dtype).max) - 1.0

    def bandwidth_at(log_price):
        y = jnp.exp(jnp.minimum(log_price + log_worth, log_most))
        v = jnp.where(admitted, one_plus_lambert_w(y), 1.0)
        return jnp.where(admitted, jnp.maximum(nats / v, least_hz), 0.0)

    def highest_log_price(efficiency):
        log_price = jnp.log(phi(jnp.where(admitted, efficiency, 1.0))) - log_worth
        highest = jnp.max(log_price, where=admitted, initial=-jnp.inf)
        return jnp.where(jnp.any(admitted), highest, 0.0)

    # At the lower price one client would take the whole band; at the higher one nobody
    # takes more than p_max asks for.
    low = highest_log_price(nats / band_hz)
    high = highest_log_price(nats / jnp.where(least_hz > 0.0, least_hz, 1.0))
    _, log_price = bisect(lambda x: jnp.sum(bandwidth_at(x)) > band_hz, low, high)
    return bandwidth_at(log_price)
