"""A cell as the network of a federation: who takes part, what arrives, what it costs."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax import keys
from flq_jax.arguments import require_choice, require_instance
from flq_jax.federated import Network, Outcome, Plan
from flq_jax.quantizers import Layout
from flq_jax.single import single
from flq_jax.wireless import cell as cells
from flq_jax.wireless import channel, cost, planning
from flq_jax.wireless.bitwidth import as_lengths
from flq_jax.wireless.cell import Cell, CellState
from flq_jax.wireless.scheduling import Scheduler

WORTHS = ("examples", "age")


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


def positions_m(
    root: jax.Array,
    clients: int,
    inner_m: float | jax.Array,
    radius_m: float | jax.Array,
) -> jax.Array:
    """Where the clients are for a whole run, f32[m, 2]; the server is at the origin.

    Args:
        root: the run's key.
        clients: m.
        inner_m, radius_m: of the ring that they are spread over evenly, see `disk`.
    """
    key, _ = jax.random.split(keys.cell_key(root))
    return channel.disk(key, clients, inner_m, radius_m)


def offered(uplink: Layout) -> tuple[Sequence[Layout], jax.Array]:
    """The layouts that a client may be told to use, and their lengths in bits, i32[k].

    ValueError if one is too long, see `as_lengths`.
    """
    parts = uplink.options or (uplink,)
    return parts, as_lengths([part.num_bits for part in parts])


def cell(
    scheduler: Scheduler,
    *,
    assignment: str = "hungarian",
    effort: str = "least",
    thrift: float = 0.0,
    most_loss: float = 0.3,
    worth: str = "examples",
    rician: float = 0.0,
    battery_j: float | jax.Array | None = None,
    mean_delay: float = 0.0,
    place: Cell,
    work: Work,
) -> Network:
    """One base station and its clients.

    A round draws its fading, plans by the policy, and settles with the lengths of the
    messages as they turned out. Only clients that have examples and can afford a message
    are eligible. What a message is worth to the Hungarian assignment is its number of
    examples n_m (Chen et al. 2021), or n_m (1 + age), the age being the rounds since the
    client was last heard; to a bits budget, the energy that its last innovation brought
    into the server's step, (n_m / sum n)^2 ||q' - q||^2, times 1 + age: what the server
    knows without a bit of its own.

    Args:
        scheduler: who takes part, of the eligible, such as `random(6)`.
        assignment, effort, thrift, most_loss: see `planning.policy`.
        worth: "examples" or "age".
        rician: K factor of the fading, 0 or more; 0 is Rayleigh's.
        battery_j: joules that each client has for the whole run, above 0, one number or
            f32[m], which nothing checks, nor a traced one; None for any amount.
        mean_delay: by how much a computation is slower than its clock says on average,
            as a share, 0 or more, see `straggler_factor`.
        place: the cell itself.
        work: what the rounds ask of it.

    Raises:
        ValueError: an argument is out of its range, or a message too long, see
            `as_lengths`, or the uplink's options don't go from narrow to wide;
            TypeError: one is of another type.
    """
    policy = planning.policy(
        scheduler, assignment, effort, thrift, most_loss, where="cell"
    )
    require_choice("cell", "worth", worth, WORTHS)
    for name, number in {"rician": rician, "mean_delay": mean_delay}.items():
        if not 0.0 <= single(number) < math.inf:
            raise ValueError(
                f"cell: {name} must be finite and 0 or more, got {name}={number!r}"
            )
    given = battery_j is None or isinstance(battery_j, jax.Array)
    if not given and not 0.0 < single(battery_j) < math.inf:
        raise ValueError(
            "cell: battery_j must be finite and above 0, or None for any amount, got "
            f"{battery_j=}"
        )
    require_instance("cell", "place", place, Cell)
    require_instance("cell", "work", work, Work)
    parts, lengths = offered(work.uplink)
    widths = tuple(part.widest for part in parts)
    if any(low >= high for low, high in pairwise(widths)):
        raise ValueError(
            f"cell: the widths of the uplink's options must ascend, got {widths}"
        )
    clients = work.examples.size
    most = min(clients, place.interference_w.size)
    value = jnp.maximum(work.examples, 1e-3).astype(jnp.float32)

    def init():
        state = cells.initial_state(place, jnp.inf if battery_j is None else battery_j)
        nobody = jnp.zeros(clients, jnp.int32)
        unheard = jnp.full(clients, jnp.inf)
        return RadioState(state, cost.empty_ledger(clients), nobody, nobody, unheard)

    def plan(key, state, round_index):
        key_fading, key_plan = jax.random.split(key)
        fading = cells.draw_fading(key_fading, place, rician)
        waited = 1.0 + state.cell.age
        asked = planning.plan_round(
            key_plan,
            policy,
            place,
            state.cell,
            fading,
            round_index=round_index,
            cycles=work.cycles,
            lengths=lengths,
            downlink_s=cells.downlink_latency_s(
                place, fading, float(work.downlink_bits)
            ),
            value=value * waited if worth == "age" else value,
            news=value**2 * state.news * waited,
            widths=widths,
            able=work.examples > 0,
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
        slowdown = cost.straggler_factor(key_delay, (clients,), mean_delay)
        outcome = cells.settle(key_errors, place, asked, sent, slowdown)
        told = jnp.where(outcome.arrived[plan.who] & (num_bits > 0), plan.who, clients)
        state = RadioState(
            cells.next_state(place, state.cell, fading, outcome),
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


def summary(positions_m: jax.Array, state: RadioState) -> dict[str, list[Any]]:
    """Each client's place, f32[m, 2], and what the run asked of it: maps and tables."""
    columns = {
        "x_m": positions_m[:, 0],
        "y_m": positions_m[:, 1],
        "scheduled": state.scheduled,
        "heard": state.heard,
        "joules": state.spent.energy_j,
    }
    return {name: column.tolist() for name, column in columns.items()}
