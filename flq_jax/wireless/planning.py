"""The joint decision: who takes part, on which block, with how many bits and watts."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_choice, require_takes
from flq_jax.single import single
from flq_jax.wireless.assignment import (
    NO_BLOCK,
    assign_blocks,
    loss_weights,
    on_block,
    random_blocks,
)
from flq_jax.wireless.bitwidth import WIDTHS, Width, widest
from flq_jax.wireless.cell import Cell, CellState, Fading, Plan, full_power_snr
from flq_jax.wireless.cost import compute_energy_j, compute_latency_s
from flq_jax.wireless.link import packet_error, snr_for_error
from flq_jax.wireless.power import pace_for_deadline
from flq_jax.wireless.scheduling import Candidates, Scheduler

ASSIGNMENTS = ("hungarian", "random")
EFFORTS = ("least", "budget", "full")


class Policy(NamedTuple):
    """How a server plans; made and explained by `policy`."""

    scheduler: Scheduler
    assignment: str
    effort: str
    thrift: float
    most_loss: float


def policy(
    scheduler: Scheduler,
    assignment: str = "hungarian",
    effort: str = "least",
    thrift: float = 0.0,
    most_loss: float = 1.0,
    *,
    where: str = "policy",
) -> Policy:
    """How a server plans its rounds.

    Args:
        scheduler: who takes part, of those who can; TypeError unless it takes (key,
            candidates).
        assignment: who gets which block: "hungarian", for the most examples expected to
            arrive (Chen et al. 2021), or "random". ValueError otherwise.
        effort: how hard they work: "least", CPU and power for the least energy in time;
            "budget", full clock and the most power that the budget allows, for the
            fewest packet errors (Chen et al. 2021); "full", full clock and full power,
            whatever the budget. ValueError otherwise.
        thrift: the share of a message's worth that "hungarian" gives up for a block
            whose upload costs the whole budget, in [0, 1); ValueError otherwise. 0 is
            Chen et al.'s, above it the cheaper of equally good blocks is taken.
        most_loss: the packet error that is accepted, in (0, 1]; ValueError otherwise. No
            message is planned for a lower power than that takes. Where packets err, 1
            is no choice for "least": what costs least is then hardly ever received.
        where: whose arguments they are, for error messages.
    """
    require_takes(where, "scheduler", scheduler, "key", "candidates")
    require_choice(where, "assignment", assignment, ASSIGNMENTS)
    require_choice(where, "effort", effort, EFFORTS)
    if not 0.0 <= single(thrift) < 1.0:
        raise ValueError(f"{where}: thrift must be in [0, 1), got {thrift=}")
    if not 0.0 < single(most_loss) <= 1.0:
        raise ValueError(f"{where}: most_loss must be in (0, 1], got {most_loss=}")
    return Policy(scheduler, assignment, effort, thrift, most_loss)


class _Room(NamedTuple):
    """What a client has for its upload after computing at full clock, f[m] each."""

    time_s: jax.Array
    energy_j: jax.Array
    computing_j: jax.Array


def plan_round(
    key: jax.Array,
    policy: Policy,
    cell: Cell,
    state: CellState,
    fading: Fading,
    *,
    round_index: jax.Array,
    cycles: jax.Array,
    lengths: jax.Array,
    downlink_s: jax.Array,
    value: jax.Array,
    news: jax.Array | None = None,
    widths: tuple[int, ...] = WIDTHS,
    able: jax.Array | bool = True,
) -> Plan:
    """Plans a round before its messages are known.

    1. On each block, each client's widest message within deadline and budget, if it
       computes at full clock. Who has none on any block, or is not able, is not eligible.
    2. The scheduler chooses among the eligible.
    3. They get their blocks, and with them their widths.
    4. Clock and power follow from the policy's effort.

    Args:
        key: random key.
        policy: see `policy`.
        cell: the cell.
        state: what the server remembers.
        fading: this round's channel.
        round_index: i32[].
        cycles: f[m], of each client's computation, above 0.
        lengths: i32[k], message lengths at the widths, see `message_lengths`. A single
            one means a fixed width.
        downlink_s: f[m], when each client has the model.
        value: f[m], what a message is worth to the assignment, such as its number of
            examples; above 0.
        news: f[m], what it is worth to the scheduler; `value` if None.
        widths: k ascending integers.
        able: bool[m], who has anything to say.
    """
    room = _room(policy, cell, state, cycles, downlink_s)

    def widest_on(snr_per_w, room, power_max_w):
        return widest(
            lengths,
            room.time_s,
            room.energy_j,
            snr_per_w,
            cell.block_hz,
            power_max_w,
            widths,
            least_energy=policy.effort == "least",
            power_min_w=snr_for_error(policy.most_loss, cell.waterfall) / snr_per_w,
        )

    edges = jax.vmap(widest_on)(fading.uplink_snr_per_w, room, cell.power_max_w)
    news = value if news is None else news
    candidates = _candidates(cell, state, fading, edges, room, news, round_index)
    candidates = candidates._replace(eligible=candidates.eligible & able)
    key_select, key_blocks = jax.random.split(key)
    selected = policy.scheduler(key_select, candidates)
    if policy.assignment == "random":
        block = random_blocks(key_blocks, selected, cell.interference_w.size)
    else:
        block = _best_blocks(
            key_blocks, policy, cell, fading, edges, room, value, selected
        )
    snr = on_block(fading.uplink_snr_per_w, block)
    width = widest_on(snr, room, cell.power_max_w)
    frequency_hz, power_w = cell.frequency_max_hz, width.upload.power_w
    if policy.effort == "least":
        left_s = _before_the_deadline(cell) - downlink_s
        frequency_hz, power_w = _least_energy(policy, cell, width, cycles, left_s, snr)
    scheduled = (block != NO_BLOCK) & width.upload.feasible
    return Plan(
        scheduled=scheduled,
        eligible=candidates.eligible,
        block=jnp.where(scheduled, block, NO_BLOCK),
        choice=jnp.where(scheduled, width.choice, -1),
        bits=jnp.where(scheduled, width.bits, 0),
        num_bits=jnp.where(scheduled, width.num_bits, 0),
        power_w=jnp.where(scheduled, power_w, 0.0),
        frequency_hz=frequency_hz,
        snr_per_w=snr,
        start_s=downlink_s,
        cycles=cycles,
    )


def _before_the_deadline(cell: Cell) -> jax.Array:
    """The deadline with room for the rounding of the three latencies in their sum."""
    return cell.deadline_s * (1.0 - 64.0 * jnp.finfo(cell.path_gain.dtype).eps)


def _room(policy, cell, state, cycles, downlink_s) -> _Room:
    compute_s = compute_latency_s(cycles, cell.frequency_max_hz)
    computing_j = compute_energy_j(cycles, cell.frequency_max_hz, cell.capacitance)
    left_j = state.battery_j
    if policy.effort != "full":
        left_j = jnp.minimum(cell.budget_j, left_j)
    time_s = _before_the_deadline(cell) - downlink_s - compute_s
    return _Room(time_s, left_j - computing_j, computing_j)


def _candidates(cell, state, fading, edges: Width, room, news, round_index):
    upload = edges.upload
    cheapest_j = jnp.min(jnp.where(upload.feasible, upload.energy_j, jnp.inf), axis=1)
    return Candidates(
        round_index=round_index,
        eligible=jnp.any(upload.feasible, axis=1),
        snr=full_power_snr(cell, fading),
        mean_snr=state.mean_snr,
        age=state.age,
        news=news,
        num_bits=jnp.max(edges.num_bits, axis=1),
        energy_j=room.computing_j + cheapest_j,
        battery_j=state.battery_j,
    )


def _best_blocks(key, policy, cell, fading, edges: Width, room, value, selected):
    """The Hungarian assignment of the selected."""
    feasible = edges.upload.feasible & selected[:, None]
    power_w = jnp.where(feasible, edges.upload.power_w, 0.0)
    error = packet_error(power_w * fading.uplink_snr_per_w, cell.waterfall)
    spent = jnp.where(feasible, edges.upload.energy_j / room.energy_j[:, None], 0.0)
    weights = loss_weights(value, error) * (1.0 - policy.thrift * spent)
    return assign_blocks(weights, feasible, key)


def _least_energy(policy, cell, width: Width, cycles, left_s, snr_per_w):
    pace = pace_for_deadline(
        cycles,
        width.num_bits,
        left_s,
        capacitance=cell.capacitance,
        frequency_min_hz=cell.frequency_min_hz,
        frequency_max_hz=cell.frequency_max_hz,
        snr_per_w=snr_per_w,
        bandwidth_hz=cell.block_hz,
        power_max_w=cell.power_max_w,
        power_min_w=snr_for_error(policy.most_loss, cell.waterfall) / snr_per_w,
    )
    return pace.frequency_hz, pace.upload.power_w
