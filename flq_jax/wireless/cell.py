"""A cell with its clients, what it remembers between rounds, and what a round did."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.wireless.channel import rayleigh_gain, rician_gain
from flq_jax.wireless.cost import (
    arrives,
    compute_energy_j,
    compute_latency_s,
    round_latency_s,
    upload_energy_j,
)
from flq_jax.wireless.link import packet_error, shannon_rate_bps, snr_per_w
from flq_jax.wireless.power import upload_at
from flq_jax.wireless.scheduling import drain, next_age, next_mean


class Cell(NamedTuple):
    """One server, m clients and r uplink resource blocks of equal bandwidth.

    Attributes:
        path_gain: f[m], path loss and shadowing.
        interference_w: f[r], on each block.
        block_hz: f[], bandwidth of a block.
        noise_w: f[], noise on a block.
        power_max_w: f[m].
        frequency_min_hz: f[m].
        frequency_max_hz: f[m].
        capacitance: f[m], J s^2 per cycle, see `cost.compute_energy_j`.
        downlink_hz: f[], bandwidth of the broadcast.
        downlink_power_w: f[].
        downlink_noise_w: f[], noise and interference at the clients.
        deadline_s: f[], of a round, from the start of its broadcast.
        budget_j: f[m], what a client may spend on a round.
        waterfall: f[], of the packet errors; 0 for none.
    """

    path_gain: jax.Array
    interference_w: jax.Array
    block_hz: jax.Array
    noise_w: jax.Array
    power_max_w: jax.Array
    frequency_min_hz: jax.Array
    frequency_max_hz: jax.Array
    capacitance: jax.Array
    downlink_hz: jax.Array
    downlink_power_w: jax.Array
    downlink_noise_w: jax.Array
    deadline_s: jax.Array
    budget_j: jax.Array
    waterfall: jax.Array


class CellState(NamedTuple):
    """What a server remembers of its clients.

    Attributes:
        mean_snr: f[m], at full power, averaged over the rounds; 0 before the first.
        age: i32[m], rounds since the client was last heard.
        battery_j: f[m], infinite for mains.
    """

    mean_snr: jax.Array
    age: jax.Array
    battery_j: jax.Array


class Fading(NamedTuple):
    """The channel of one round.

    Attributes:
        uplink_snr_per_w: f[m, r].
        downlink_snr: f[m].
    """

    uplink_snr_per_w: jax.Array
    downlink_snr: jax.Array


def initial_state(cell: Cell, battery_j: jax.Array | float = jnp.inf) -> CellState:
    """Nobody heard yet; batteries full."""
    zeros = jnp.zeros_like(cell.path_gain)
    return CellState(zeros, zeros.astype(jnp.int32), zeros + battery_j)


def draw_fading(key: jax.Array, cell: Cell, rician_factor: float = 0.0) -> Fading:
    """Independent fading of each client on each block and on the downlink.

    Args:
        key: random key, of this round: the channel stays as it is within a round.
        cell: the cell.
        rician_factor: K; 0 is Rayleigh fading.
    """
    key_up, key_down = jax.random.split(key)
    m, r = cell.path_gain.size, cell.interference_w.size

    def fading(key, shape):
        if rician_factor == 0.0:
            return rayleigh_gain(key, shape)
        return rician_gain(key, shape, rician_factor)

    up = cell.path_gain[:, None] * fading(key_up, (m, r))
    down = cell.path_gain * fading(key_down, (m,))
    uplink = snr_per_w(up, cell.noise_w, cell.interference_w[None, :])
    downlink = cell.downlink_power_w * snr_per_w(down, cell.downlink_noise_w)
    return Fading(uplink, downlink)


def downlink_latency_s(
    cell: Cell, fading: Fading, num_bits: jax.Array | float
) -> jax.Array:
    """When each client has received a rateless broadcast of num_bits, f[m].

    For one at a fixed rate, the slowest listener's, take the maximum over who listens.
    """
    return num_bits / shannon_rate_bps(cell.downlink_hz, fading.downlink_snr)


class Plan(NamedTuple):
    """What the server asks of its clients for a round.

    Attributes:
        scheduled: bool[m], who takes part.
        eligible: bool[m], who could: some block, width and pace meet the deadline and
            the budgets. The others are the infeasible.
        block: i32[m], -1 for none.
        choice: i32[m], index of the bit width; -1 for silence.
        bits: i32[m], bits per coordinate; 0 for silence.
        num_bits: i32[m], length of the message planned for.
        power_w: f[m].
        frequency_hz: f[m].
        snr_per_w: f[m], on the block.
        start_s: f[m], when the client has the model.
        cycles: f[m], of its computation.
    """

    scheduled: jax.Array
    eligible: jax.Array
    block: jax.Array
    choice: jax.Array
    bits: jax.Array
    num_bits: jax.Array
    power_w: jax.Array
    frequency_hz: jax.Array
    snr_per_w: jax.Array
    start_s: jax.Array
    cycles: jax.Array


class Outcome(NamedTuple):
    """What a round did.

    Attributes:
        arrived: bool[m], whose message is there in time and intact.
        latency_s: f[m], from the start of the broadcast to the end of the upload, or of
            the computing for those who stay silent; 0 for the unscheduled.
        energy_j: f[m], spent by each client, the late and the lost included.
        elapsed_s: f[], until the server goes on.
    """

    arrived: jax.Array
    latency_s: jax.Array
    energy_j: jax.Array
    elapsed_s: jax.Array


def settle(
    key: jax.Array,
    cell: Cell,
    plan: Plan,
    num_bits: jax.Array,
    slowdown: jax.Array | float = 1.0,
) -> Outcome:
    """Plays a plan with the messages as they turned out.

    Args:
        key: random key, of the packet errors.
        cell: the cell.
        plan: the round's.
        num_bits: i32[m], measured; 0 for silence. Longer than planned is allowed, and
            takes longer.
        slowdown: f[] or f[m], of the computations, see `cost.straggler_factor`.
    """
    scheduled = plan.scheduled
    sent = jnp.where(scheduled, num_bits, 0)
    compute_s = slowdown * compute_latency_s(plan.cycles, plan.frequency_hz)
    upload_s, _ = upload_at(sent, plan.power_w, plan.snr_per_w, cell.block_hz)
    latency_s = jnp.where(scheduled, plan.start_s + compute_s + upload_s, 0.0)
    error = packet_error(plan.power_w * plan.snr_per_w, cell.waterfall)
    intact = ~jax.random.bernoulli(key, error)
    arrived = arrives(scheduled & (sent > 0), latency_s, cell.deadline_s) & intact
    computing_j = compute_energy_j(plan.cycles, plan.frequency_hz, cell.capacitance)
    air_s = jnp.maximum(cell.deadline_s - plan.start_s - compute_s, 0.0)
    sending_j = upload_energy_j(plan.power_w, upload_s, air_s)
    energy_j = jnp.where(scheduled, computing_j + sending_j, 0.0)
    elapsed_s = round_latency_s(scheduled, latency_s, cell.deadline_s)
    return Outcome(arrived, latency_s, energy_j, elapsed_s)


def full_power_snr(cell: Cell, fading: Fading) -> jax.Array:
    """Each client's SNR at full power, averaged over the blocks, f[m]."""
    return cell.power_max_w * jnp.mean(fading.uplink_snr_per_w, axis=1)


def next_state(
    cell: Cell,
    state: CellState,
    fading: Fading,
    outcome: Outcome,
    memory: float = 0.99,
) -> CellState:
    """After the round: means follow by `memory`, ages grow, batteries empty."""
    snr = full_power_snr(cell, fading)
    followed = next_mean(state.mean_snr, snr, memory)
    return CellState(
        jnp.where(state.mean_snr > 0.0, followed, snr),
        next_age(state.age, outcome.arrived),
        drain(state.battery_j, outcome.energy_j),
    )
