"""Seconds and joules of a round: computing, sending, and waiting for the slowest."""

from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp


def training_bit_operations(
    macs: jax.Array | int, weight_bits: int, activation_bits: int, gradient_bits: int
) -> jax.Array | float:
    """Bit operations of one example's forward and backward pass.

    A product of an M-bit and a K-bit number is M K ands (or xnors) with their popcounts
    (Zhou et al. 2016, Eq. 3). Forward multiplies weights by activations; backward,
    weights by gradients and activations by gradients, each with as many products:

        macs (W A + W G + A G).

    Args:
        macs: multiply-accumulates of the forward pass, per example.
        weight_bits: W, 1 to 32; 32 counts a float as 32 bits. ValueError otherwise.
        activation_bits: A, likewise.
        gradient_bits: G, likewise.
    """
    widths = weight_bits, activation_bits, gradient_bits
    if not all(1 <= bits <= 32 for bits in widths):
        raise ValueError(
            f"training_bit_operations: bits must be in 1..32, got {weight_bits=} "
            f"{activation_bits=} {gradient_bits=}"
        )
    w, a, g = widths
    return macs * float(w * a + w * g + a * g)


def dense_macs(units: tuple[int, ...]) -> int:
    """Multiply-accumulates of one forward pass through dense layers of these units."""
    return sum(fan_in * fan_out for fan_in, fan_out in pairwise(units))


def compute_latency_s(cycles: jax.Array, frequency_hz: jax.Array) -> jax.Array:
    """cycles / f."""
    return cycles / frequency_hz


def compute_energy_j(
    cycles: jax.Array, frequency_hz: jax.Array, capacitance: jax.Array | float
) -> jax.Array:
    """capacitance cycles f^2: dynamic voltage and frequency scaling.

    The capacitance, in J s^2 per cycle, is the sigma of Chen et al. (2021, Eq. 6) and
    half the alpha of Tran et al. (2019, Eq. 4).
    """
    return capacitance * cycles * jnp.square(frequency_hz)


def upload_latency_s(num_bits: jax.Array, rate_bps: jax.Array) -> jax.Array:
    """bits / rate; silence takes no time, and a message on no rate takes for ever."""
    rate = jnp.where(rate_bps > 0.0, rate_bps, 1.0)
    seconds = jnp.where(rate_bps > 0.0, num_bits / rate, jnp.inf)
    return jnp.where(num_bits > 0, seconds, 0.0)


def upload_energy_j(
    power_w: jax.Array | float,
    latency_s: jax.Array,
    cutoff_s: jax.Array | float = jnp.inf,
) -> jax.Array:
    """power times the time on air, which ends at the cutoff; 0 W never cost."""
    on_air_s = jnp.minimum(latency_s, cutoff_s)
    return jnp.where(power_w > 0.0, power_w * on_air_s, 0.0)


def straggler_factor(key: jax.Array, shape: tuple, mean_delay: float) -> jax.Array:
    """1 + mean_delay Exp(1): by how much each computation is slower than its clock says

    (the shifted exponential of Lee et al. 2018).
    """
    return 1.0 + mean_delay * jax.random.exponential(key, shape)


def arrives(
    scheduled: jax.Array, latency_s: jax.Array, deadline_s: jax.Array | float = jnp.inf
) -> jax.Array:
    """Who of the scheduled is there by the deadline: bool[m]."""
    return scheduled & (latency_s <= deadline_s) & jnp.isfinite(latency_s)


def round_latency_s(
    scheduled: jax.Array, latency_s: jax.Array, deadline_s: jax.Array | float = jnp.inf
) -> jax.Array:
    """How long the server waits: for the slowest of the scheduled, or the deadline."""
    slowest = jnp.max(jnp.where(scheduled, latency_s, 0.0), initial=0.0)
    return jnp.minimum(slowest, deadline_s)


class Ledger(NamedTuple):
    """What has been spent since the first round; the tails keep float32 honest.

    Attributes:
        elapsed_s: f[].
        energy_j: f[m].
        elapsed_tail_s: f[], what the last additions rounded away.
        energy_tail_j: f[m].
    """

    elapsed_s: jax.Array
    energy_j: jax.Array
    elapsed_tail_s: jax.Array
    energy_tail_j: jax.Array


def empty_ledger(num_clients: int, dtype=float) -> Ledger:
    """Nothing spent yet."""
    clock, energy = jnp.zeros((), dtype), jnp.zeros(num_clients, dtype)
    return Ledger(clock, energy, clock, energy)


def spend(ledger: Ledger, elapsed_s: jax.Array, energy_j: jax.Array) -> Ledger:
    """Adds a round, by Kahan's compensated sum.

    Args:
        ledger: before the round.
        elapsed_s: f[], the round's time.
        energy_j: f[m], each client's energy.
    """
    elapsed, elapsed_tail = _kahan(ledger.elapsed_s, ledger.elapsed_tail_s, elapsed_s)
    energy, energy_tail = _kahan(ledger.energy_j, ledger.energy_tail_j, energy_j)
    return Ledger(elapsed, energy, elapsed_tail, energy_tail)


def _kahan(total, tail, term):
    term = term + tail
    longer = total + term
    return longer, term - (longer - total)
