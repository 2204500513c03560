"""The glue between the rounds and the cell: a `Network` made of `flq_jax.wireless`."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import keys
from flq_jax.federated import Network, Outcome, Plan
from flq_jax.models import LayerCost
from flq_jax.quantizers import Layout
from flq_jax.wireless import cell as cells
from flq_jax.wireless import channel, cost, planning, scheduling
from flq_jax.wireless.bitwidth import as_lengths
from flq_jax.wireless.cell import Cell, CellState

NOISE_DBM_PER_HZ = -174.0


class RadioState(NamedTuple):
    """What a simulated cell carries from round to round.

    Attributes:
        cell: what the server remembers.
        spent: seconds and each client's joules since the first round.
        scheduled: rounds in which each client took part, i32[m].
        heard: rounds in which its message arrived, i32[m].
        news: what its last one to arrive was worth, f32[m], see `Network.settle`;
            infinite before the first.
    """

    cell: CellState
    spent: cost.Ledger
    scheduled: jax.Array
    heard: jax.Array
    news: jax.Array


class Work(NamedTuple):
    """What the rounds ask of a cell.

    Attributes:
        uplink: layout of a client's message.
        downlink_bits: length of the broadcast.
        cycles: of each client's computation, f32[m].
        examples: that each client has, i32[m].
    """

    uplink: Layout
    downlink_bits: int
    cycles: jax.Array
    examples: jax.Array


def positions_m(config: ConfigDict, root: jax.Array, clients: int) -> jax.Array:
    """Where the clients are for a whole run, f32[m, 2]; the server is at the origin."""
    key, _ = jax.random.split(keys.cell_key(root))
    return channel.disk(key, clients, config.inner_m, config.radius_m)


def place(config: ConfigDict, root: jax.Array, clients: int) -> Cell:
    """The cell that the config's `network` group describes."""
    _, key = jax.random.split(keys.cell_key(root))
    distance = channel.distance_m(positions_m(config, root, clients))
    reference = channel.from_db(config.gain_db)
    path = channel.power_law_gain(distance, config.exponent, reference)
    shadowing = channel.shadowing_gain(key, (clients,), config.shadowing_db)
    each = partial(jnp.full, clients)
    downlink_noise_w = channel.noise_w(config.downlink_hz, NOISE_DBM_PER_HZ)
    return Cell(
        path_gain=path * shadowing,
        interference_w=jnp.linspace(
            config.interference_low_w, config.interference_high_w, config.blocks
        ),
        block_hz=jnp.float32(config.block_hz),
        noise_w=channel.noise_w(config.block_hz, NOISE_DBM_PER_HZ),
        power_max_w=each(config.power_w),
        frequency_min_hz=each(config.frequency_low_hz),
        frequency_max_hz=each(config.frequency_high_hz),
        capacitance=each(config.capacitance),
        downlink_hz=jnp.float32(config.downlink_hz),
        downlink_power_w=jnp.float32(config.downlink_power_w),
        downlink_noise_w=downlink_noise_w + config.downlink_interference_w,
        deadline_s=jnp.float32(config.deadline_s),
        budget_j=each(config.budget_j),
        waterfall=jnp.float32(config.waterfall),
    )


def scheduler(config: ConfigDict) -> scheduling.Scheduler:
    """Who takes part, of those who can."""
    if config.scheduler == "everyone":
        return scheduling.all_eligible()
    if config.scheduler == "bits_budget":
        return scheduling.bits_budget(config.budget_bits)
    return getattr(scheduling, config.scheduler)(config.scheduled)


def cycles(
    network: ConfigDict,
    layers: Sequence[LayerCost],
    examples: jax.Array,
    at_a_time: jax.Array,
) -> jax.Array:
    """Cycles of each client's round, f32[m]: bit operations over those of a cycle.

    Args:
        network: the config's `network` group: the CPU's bit operations a cycle.
        layers: of the model, each with its multiply-adds an example and its widths.
        examples: that each client has, i32[m].
        at_a_time: gradients that it takes in a round, f32[m], in examples.
    """
    operations = sum(
        cost.training_bit_operations(
            layer.macs,
            layer.bits.weights,
            layer.bits.activations,
            layer.bits.gradients,
        )
        for layer in layers
    )
    work = jnp.where(examples > 0, at_a_time, 0)
    # Nobody computes for nothing: waking up takes a cycle.
    return jnp.maximum(work * operations / network.bit_operations_a_cycle, 1.0)


def offered(uplink: Layout) -> tuple[Sequence[Layout], jax.Array]:
    """The layouts that a client may be told to use, and their lengths in bits, i32[k].

    ValueError if one is too long, see `as_lengths`.
    """
    parts = uplink.options or (uplink,)
    return parts, as_lengths([part.num_bits for part in parts])


def cell_network(config: ConfigDict, cell: Cell, work: Work) -> Network:
    """One base station and its clients, as the config's `network` group has it.

    A round draws its fading, plans by the policy, and settles with the lengths of the
    messages as they turned out. What a message is worth to the Hungarian assignment is
    its number of examples n_m (Chen et al. 2021), or, with `config.worth = "age"`,
    n_m (1 + age), the age being the rounds since the client was last heard; to a bits
    budget, the energy that its last innovation brought into the server's step,
    (n_m / sum n)^2 ||q' - q||^2, times 1 + age: what the server knows without a bit of
    its own.
    """
    policy = planning.policy(
        scheduler(config),
        config.assignment,
        config.effort,
        config.thrift,
        config.most_loss,
    )
    parts, lengths = offered(work.uplink)
    clients = work.examples.size
    most = min(clients, config.blocks)
    value = jnp.maximum(work.examples, 1e-3).astype(jnp.float32)

    def init():
        state = cells.initial_state(cell, config.battery_j or jnp.inf)
        nobody = jnp.zeros(clients, jnp.int32)
        unheard = jnp.full(clients, jnp.inf)
        return RadioState(state, cost.empty_ledger(clients), nobody, nobody, unheard)

    def plan(key, state, round_index):
        key_fading, key_plan = jax.random.split(key)
        fading = cells.draw_fading(key_fading, cell, config.rician)
        waited = 1.0 + state.cell.age
        asked = planning.plan_round(
            key_plan,
            policy,
            cell,
            state.cell,
            fading,
            round_index=round_index,
            cycles=work.cycles,
            lengths=lengths,
            downlink_s=cells.downlink_latency_s(
                cell, fading, float(work.downlink_bits)
            ),
            value=value * waited if config.worth == "age" else value,
            news=value**2 * state.news * waited,
            widths=tuple(part.widest for part in parts),
        )
        # No more than the blocks are scheduled, so all of them are among the first.
        first = jnp.argsort(~asked.scheduled, stable=True)[:most]
        who = jnp.sort(first)
        choice = jnp.maximum(asked.choice[who], 0)
        return Plan(who, asked.scheduled[who], choice, (fading, asked))

    def settle(key, state, plan, num_bits, news):
        key_errors, key_delay = jax.random.split(key)
        fading, asked = plan.details
        sent = jnp.zeros(clients, jnp.int32).at[plan.who].set(num_bits)
        slowdown = cost.straggler_factor(key_delay, (clients,), config.mean_delay)
        outcome = cells.settle(key_errors, cell, asked, sent, slowdown)
        told = jnp.where(outcome.arrived[plan.who] & (num_bits > 0), plan.who, clients)
        state = RadioState(
            cells.next_state(cell, state.cell, fading, outcome),
            cost.spend(state.spent, outcome.elapsed_s, outcome.energy_j),
            state.scheduled + asked.scheduled,
            state.heard + outcome.arrived,
            state.news.at[told].set(news, mode="drop"),
        )
        return Outcome(
            outcome.arrived[plan.who],
            outcome.elapsed_s,
            outcome.energy_j[plan.who],
            state,
        )

    return Network(init, plan, settle, chooses=True, costs=True, clients=clients)


def summary(
    config: ConfigDict, root: jax.Array, state: RadioState
) -> dict[str, list[Any]]:
    """Each client's place and what the run asked of it, for maps and tables."""
    where = positions_m(config, root, state.scheduled.size)
    columns = {
        "x_m": where[:, 0],
        "y_m": where[:, 1],
        "scheduled": state.scheduled,
        "heard": state.heard,
        "joules": state.spent.energy_j,
    }
    return {name: column.tolist() for name, column in columns.items()}
