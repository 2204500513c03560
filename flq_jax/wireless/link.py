"""From watts to bits per second: rates, packet errors, and how a medium is shared."""

import jax
import jax.numpy as jnp

from flq_jax.precision import EXACT
from flq_jax.wireless.cost import upload_latency_s

LN2 = 0.6931471805599453


def snr_per_w(
    gain: jax.Array, noise_w: jax.Array, interference_w: jax.Array | float = 0.0
) -> jax.Array:
    """gain / (noise + interference): the SNR that each transmitted watt buys, 1/W."""
    return gain / (noise_w + interference_w)


def shannon_rate_bps(bandwidth_hz: jax.Array, snr: jax.Array) -> jax.Array:
    """B log2(1 + SNR)."""
    return bandwidth_hz * jnp.log1p(snr) / LN2


def packet_error(snr: jax.Array, waterfall: jax.Array | float) -> jax.Array:
    """Probability that an upload is lost: 1 - exp(-waterfall / SNR).

    (Chen et al. 2021, Eq. 3, before the average over the fading.) 1 at SNR = 0, and 0
    at waterfall = 0, a link without errors.
    """
    exponent = jnp.where(snr > 0.0, waterfall / jnp.where(snr > 0.0, snr, 1.0), jnp.inf)
    return -jnp.expm1(-exponent)


def snr_for_error(error: jax.Array | float, waterfall: jax.Array | float) -> jax.Array:
    """The least SNR with at most this `packet_error`: waterfall / -ln(1 - error)."""
    return waterfall / -jnp.log1p(-error)


def rayleigh_packet_error(mean_snr: jax.Array, waterfall: jax.Array) -> jax.Array:
    """`packet_error` averaged over Rayleigh fading of the given mean SNR.

        E[1 - exp(-a / o)] = integral_0^inf exp(-o) (1 - exp(-a / o)) do,   o ~ Exp(1),

    with a = waterfall / mean SNR, by the trapezoidal rule in log o: its integrand dies
    double-exponentially at both ends, so that the rule is exact to about 1e-7, or to the
    1e-5 of a sum in float32. 1 at a mean SNR of 0, and 0 at waterfall = 0 otherwise.
    """
    t = jnp.linspace(-18.0, 4.5, 128, dtype=jnp.result_type(mean_snr, float))
    density = jnp.exp(t - jnp.exp(t)) * (t[1] - t[0])
    safe = jnp.where(mean_snr > 0.0, mean_snr, 1.0)
    a = jnp.where(mean_snr > 0.0, waterfall / safe, jnp.inf)[..., None]
    nodes = jnp.exp(-t).reshape((1,) * (a.ndim - 1) + t.shape)
    return jnp.dot(-jnp.expm1(-a * nodes), density, precision=EXACT)


def ofdma_rate_bps(
    power_w: jax.Array, snr_per_w: jax.Array, held: jax.Array, block_hz: jax.Array
) -> jax.Array:
    """Rate of each client over the resource blocks it holds, its power split evenly.

    Args:
        power_w: f[m], over all its blocks.
        snr_per_w: f[m, r].
        held: bool[m, r]; a client without a block has rate 0.
        block_hz: f[], bandwidth of one block.

    Returns:
        f[m].
    """
    blocks = jnp.maximum(jnp.sum(held, axis=1), 1)
    snr = (power_w / blocks)[:, None] * snr_per_w
    return jnp.sum(jnp.where(held, shannon_rate_bps(block_hz, snr), 0.0), axis=1)


def fdma_rate_bps(
    power_w: jax.Array,
    gain: jax.Array,
    bandwidth_hz: jax.Array,
    noise_w_per_hz: jax.Array | float,
) -> jax.Array:
    """b log2(1 + P g / (N0 b)) on a share of the band; 0 on none of it."""
    safe_hz = jnp.where(bandwidth_hz > 0.0, bandwidth_hz, 1.0)
    snr = power_w * gain / (noise_w_per_hz * safe_hz)
    return jnp.where(bandwidth_hz > 0.0, shannon_rate_bps(safe_hz, snr), 0.0)


def tdma_finish_s(ready_s: jax.Array, upload_s: jax.Array) -> jax.Array:
    """When each upload ends if one sends at a time, first come, first served.

    finish_k = max(ready_k, finish_(k-1)) + upload_k in the order of readiness; equal
    claims go by index, and who has nothing to send is done when it is ready. Who has no
    rate never finishes, and does not hold the others up: it is not let on the air.

    Args:
        ready_s: f[m], when each has computed.
        upload_s: f[m], the time of each upload with the whole band; infinite on no rate.
    """
    sends = (upload_s > 0.0) & (upload_s < jnp.inf)
    order = jnp.argsort(jnp.where(sends, ready_s, jnp.inf), stable=True)

    def send(free_s, client):
        ready, upload, sends = client
        finish = jnp.where(sends, jnp.maximum(ready, free_s), ready) + upload
        return jnp.where(sends, finish, free_s), finish

    _, finish_s = jax.lax.scan(
        send,
        jnp.zeros_like(upload_s[0]),
        (ready_s[order], upload_s[order], sends[order]),
    )
    return jnp.zeros_like(upload_s).at[order].set(finish_s)


def broadcast_rate_bps(rate_bps: jax.Array, listening: jax.Array) -> jax.Array:
    """Rate of a broadcast: that of the slowest listener; infinite if nobody listens.

    Args:
        rate_bps: f[m], of the downlink to each.
        listening: bool[m].
    """
    return jnp.min(jnp.where(listening, rate_bps, jnp.inf))


def broadcast_latency_s(
    num_bits: jax.Array, rate_bps: jax.Array, listening: jax.Array
) -> jax.Array:
    """Time of one message to all listeners at once, f[]; 0 if nobody listens.

    Silence takes no time, and a message on no rate takes for ever; here and below.
    """
    return upload_latency_s(num_bits, broadcast_rate_bps(rate_bps, listening))


def unicast_latency_s(
    num_bits: jax.Array, rate_bps: jax.Array, listening: jax.Array
) -> jax.Array:
    """Time of a message to each listener in turn, each with the whole band, f[]."""
    seconds = upload_latency_s(num_bits, rate_bps)
    return jnp.sum(jnp.where(listening, seconds, 0.0))
