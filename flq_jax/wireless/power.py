"""The power of one upload, and the clock speed before it.

A message of Z bits on B hertz needs the spectral efficiency v = Z ln 2 / (B t) nats per
second and hertz if it may take t seconds, hence (e^v - 1) / snr_per_w watts. Energy
falls with t: slow is cheap. All functions are elementwise.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.wireless.cost import upload_energy_j, upload_latency_s
from flq_jax.wireless.link import LN2, shannon_rate_bps
from flq_jax.wireless.special import bisect, inverse_exprel, phi


class Upload(NamedTuple):
    """How a message is sent.

    Attributes:
        power_w: the transmit power; of an infeasible upload the power that it would
            need, beyond what there is.
        latency_s: the time on air; infinite if infeasible.
        energy_j: power times time; infinite if infeasible.
        feasible: bool, whether power and constraints allow it.
    """

    power_w: jax.Array
    latency_s: jax.Array
    energy_j: jax.Array
    feasible: jax.Array


def upload_at(
    num_bits: jax.Array,
    power_w: jax.Array | float,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """(seconds, joules) of an upload at a given power; silence costs neither."""
    rate_bps = shannon_rate_bps(bandwidth_hz, power_w * snr_per_w)
    latency_s = upload_latency_s(num_bits, rate_bps)
    return latency_s, upload_energy_j(power_w, latency_s)


def power_for_deadline(
    num_bits: jax.Array,
    deadline_s: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_max_w: jax.Array | float,
    power_min_w: jax.Array | float = 0.0,
) -> Upload:
    """The least energy that delivers a message in time: use all the time there is.

        p = max(p_min, (exp(Z ln 2 / (B t)) - 1) / snr_per_w)

    Args:
        num_bits: Z, 0 for silence, which is free and always feasible.
        deadline_s: t; a message is infeasible at 0 or below, and without a deadline
            (infinity) unless p_min is above 0: there is always less, and 0 W say nothing.
        snr_per_w: gain over noise and interference, 1/W.
        bandwidth_hz: B.
        power_max_w: more is infeasible.
        power_min_w: less is not transmitted.
    """
    sends = jnp.asarray(num_bits) > 0
    in_time = deadline_s > 0.0
    efficiency = num_bits * LN2 / (bandwidth_hz * jnp.where(in_time, deadline_s, 1.0))
    needed_w = jnp.expm1(jnp.where(in_time, efficiency, jnp.inf)) / snr_per_w
    least_w = jnp.maximum(needed_w, power_min_w)
    feasible = ~sends | ((least_w > 0.0) & (least_w <= power_max_w))
    least_w = jnp.where(least_w > 0.0, least_w, jnp.inf)
    power_w = jnp.where(sends, least_w, 0.0)
    return _upload(num_bits, power_w, feasible, snr_per_w, bandwidth_hz)


def power_for_energy(
    num_bits: jax.Array,
    energy_j: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_max_w: jax.Array,
) -> Upload:
    """The fastest upload within an energy budget (Chen et al. 2021, Theorem 2).

    The energy of an upload, Z ln 2 p / (B ln(1 + p snr_per_w)), grows with p from
    Z ln 2 / (B snr_per_w), below which no power helps. With u = ln(1 + p snr_per_w) the
    budget E is met with equality where (e^u - 1) / u = E B snr_per_w / (Z ln 2);
    p = min(p_max, p(E)).

    Args:
        num_bits: Z, 0 for silence, which is free and always feasible.
        energy_j: E.
        snr_per_w: gain over noise and interference, 1/W.
        bandwidth_hz: B.
        power_max_w: the ceiling of p.
    """
    sends = jnp.asarray(num_bits) > 0
    bits = jnp.where(sends, num_bits, 1)
    excess = energy_j * bandwidth_hz * snr_per_w / (bits * LN2)
    feasible = ~sends | ((excess > 1.0) & (power_max_w > 0.0))
    efficiency = inverse_exprel(jnp.maximum(excess, 1.0))
    power_w = jnp.minimum(jnp.expm1(efficiency) / snr_per_w, power_max_w)
    power_w = jnp.where(sends, jnp.where(feasible, power_w, jnp.inf), 0.0)
    return _upload(num_bits, power_w, feasible, snr_per_w, bandwidth_hz)


class Pace(NamedTuple):
    """How a client computes and sends within one deadline.

    Attributes:
        frequency_hz: of the CPU.
        compute_s: time of computing.
        upload: the `Upload` that follows.
        energy_j: of both; infinite if infeasible.
        feasible: bool.
    """

    frequency_hz: jax.Array
    compute_s: jax.Array
    upload: Upload
    energy_j: jax.Array
    feasible: jax.Array


def pace_for_deadline(
    cycles: jax.Array,
    num_bits: jax.Array,
    deadline_s: jax.Array,
    *,
    capacitance: jax.Array | float,
    frequency_min_hz: jax.Array,
    frequency_max_hz: jax.Array,
    snr_per_w: jax.Array,
    bandwidth_hz: jax.Array,
    power_max_w: jax.Array,
    power_min_w: jax.Array | float = 0.0,
) -> Pace:
    """CPU frequency and power that compute and deliver in time with the least energy.

    Of the deadline T computing gets t = C / f and sending T - t:

        min  k C^3 / t^2 + (T - t) (e^v - 1) / snr_per_w,   v = Z ln 2 / (B (T - t)),

    convex in t, with C / f_max <= t <= C / f_min and p_min <= p <= p_max. At an inner
    optimum a second is worth the same to both, 2 k C^3 / t^3 = (1 + (v - 1) e^v) /
    snr_per_w, and the difference of the two sides is monotone: bisection. A message
    that is sent with p_min leaves the rest of the time to computing.

    Args:
        cycles: C, above 0.
        num_bits: Z, 0 for silence.
        deadline_s: T, finite.
        capacitance: k, J s^2 per cycle, see `cost.compute_energy_j`.
        frequency_min_hz, frequency_max_hz: range of the CPU.
        snr_per_w: gain over noise and interference, 1/W.
        bandwidth_hz: B.
        power_max_w: p_max.
        power_min_w: p_min; above p_max is infeasible.
    """
    nats_s = num_bits * LN2 / bandwidth_hz  # seconds at one nat per second and hertz
    shortest_s, _ = upload_at(num_bits, power_max_w, snr_per_w, bandwidth_hz)
    low_s, high_s = cycles / frequency_max_hz, cycles / frequency_min_hz
    longest_s, _ = upload_at(num_bits, power_min_w, snr_per_w, bandwidth_hz)
    feasible = (low_s + shortest_s <= deadline_s) & (power_min_w <= power_max_w)
    high_s = jnp.clip(deadline_s - shortest_s, low_s, high_s)
    low_s = jnp.clip(deadline_s - longest_s, low_s, high_s)

    def computing_too_fast(t):
        rest_s = jnp.maximum(deadline_s - t, jnp.finfo(t.dtype).tiny)
        v = jnp.where(num_bits > 0, nats_s / rest_s, 0.0)
        return 2.0 * capacitance * (cycles / t) ** 3 > phi(v) / snr_per_w

    low_s, high_s = jnp.broadcast_arrays(low_s, high_s)
    _, compute_s = bisect(computing_too_fast, low_s, high_s)
    frequency_hz = jnp.clip(cycles / compute_s, frequency_min_hz, frequency_max_hz)
    upload = power_for_deadline(
        num_bits, deadline_s - compute_s, snr_per_w, bandwidth_hz, jnp.inf, power_min_w
    )
    power_w = jnp.where(feasible, jnp.minimum(upload.power_w, power_max_w), jnp.inf)
    upload = _upload(num_bits, power_w, feasible, snr_per_w, bandwidth_hz)
    energy_j = capacitance * cycles * jnp.square(frequency_hz) + upload.energy_j
    return Pace(frequency_hz, compute_s, upload, energy_j, feasible)


def _upload(num_bits, power_w, feasible, snr_per_w, bandwidth_hz) -> Upload:
    safe_w = jnp.where(feasible, power_w, 0.0)
    latency_s, energy_j = upload_at(num_bits, safe_w, snr_per_w, bandwidth_hz)
    never = jnp.where(feasible, 0.0, jnp.inf)
    return Upload(power_w, latency_s + never, energy_j + never, feasible)
