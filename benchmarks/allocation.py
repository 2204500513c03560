"""Seconds to plan one round of a large cell, and the plan's gap to the optimum.

    python -m benchmarks.allocation [--devices=100,1000,10000] [--blocks=100]

A plan is the whole joint decision: widest messages, powers and errors of every client on
every block, the Hungarian assignment, and the clocks and powers that follow. Beside it
stand the assignment alone, and SciPy's on the same weights, whose total it must reach.
"""

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from absl import app, flags
from rich.console import Console
from rich.table import Table

from flq_jax.wireless import assignment, bitwidth, planning, presets, scheduling
from flq_jax.wireless import cell as cells

_CLIENTS = flags.DEFINE_list("devices", ["100", "1000", "10000"], "Numbers of clients.")
_BLOCKS = flags.DEFINE_integer("blocks", 100, "Resource blocks.", 1)
_REPEATS = flags.DEFINE_integer("repeats", 5, "Timed calls, of which the median.", 1)
PARAMETERS = 7850
POLICIES = {
    "joint": planning.policy(scheduling.all_eligible(), thrift=0.5, most_loss=0.3),
    "Chen et al.": planning.policy(scheduling.all_eligible(), effort="budget"),
    "random": planning.policy(
        scheduling.random(100), assignment="random", effort="full"
    ),
}


def main(argv: list[str]) -> None:
    """Prints a line for each number of clients."""
    del argv
    table = Table(title=f"{_BLOCKS.value} blocks, {jax.default_backend()}, ms")
    columns = "clients", *POLICIES, "assignment alone", "SciPy's", "gap to its total"
    for column in columns:
        table.add_column(column, justify="right")
    for clients in map(int, _CLIENTS.value):
        table.add_row(f"{clients:,}", *measured(clients, _BLOCKS.value))
    Console().print(table)


def measured(clients: int, blocks: int) -> list[str]:
    """The cells of one line."""
    key_cell, key_fading, key_value, key_plan = jax.random.split(jax.random.key(0), 4)
    cell = presets.chen_cell(key_cell, clients, blocks)
    fading = cells.draw_fading(key_fading, cell)
    value = jax.random.uniform(key_value, (clients,), minval=100.0, maxval=600.0)
    times = []
    for policy in POLICIES.values():
        plan = jax.jit(functools.partial(planned, policy, cell))
        times.append(seconds(plan, key_plan, fading, value))
    error = -jnp.expm1(-cell.waterfall / (0.01 * fading.uplink_snr_per_w))
    weights = assignment.loss_weights(value, error)
    assign = jax.jit(assignment.assign_blocks)
    feasible = jnp.ones(weights.shape, bool)
    times.append(seconds(assign, weights, feasible))
    exact = np.asarray(weights, np.float64)
    times.append(seconds(scipy.optimize.linear_sum_assignment, exact))
    block = np.asarray(assign(weights, feasible))
    served = np.flatnonzero(block >= 0)
    ours = exact[served, block[served]].sum()
    best = exact[scipy.optimize.linear_sum_assignment(exact)].sum()
    return [*(f"{1e3 * t:,.1f}" for t in times), f"{(ours - best) / -best:.1e}"]


def planned(policy, cell, key, fading, value) -> cells.Plan:
    """A first round's plan."""
    return planning.plan_round(
        key,
        policy,
        cell,
        cells.initial_state(cell),
        fading,
        round_index=jnp.int32(0),
        cycles=jnp.full(value.shape, 5e5),
        lengths=bitwidth.message_lengths(PARAMETERS),
        downlink_s=cells.downlink_latency_s(cell, fading, 8 * PARAMETERS + 64),
        value=value,
    )


def seconds(function: Any, *args: Any) -> float:
    """The median time of a call, the first one not counted."""
    times = []
    for _ in range(_REPEATS.value + 1):
        begin = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - begin)
    return float(np.median(times[1:]))


if __name__ == "__main__":
    app.run(main)
