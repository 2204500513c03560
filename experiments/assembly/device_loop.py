"""The rounds between two evaluations: one program on the device, totals on the host."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from flq_jax import federated, ledger
from flq_jax.federated import Metrics, State
from flq_jax.ledger import Ledger, Links

from .build import Run
from .stacked_runs import Stack, over_runs, row, rows_of

MOST_BYTES = 2**26  # of a call's figures: 760,000 rounds of ten clients


class Progress(NamedTuple):
    """Where a run stands.

    Attributes:
        rounds: those that are finished.
        state: after them.
        ledger: what they sent.
        diverged: how many clients' updates were not finite.
        overloads: how many clients' updates lay outside their quantizer's range.
        lost: how many messages did not arrive.
        seconds: simulated ones.
        joules: of all clients together.
        stopped: why no further round is wanted; empty while one is.
    """

    rounds: int
    state: State
    ledger: Ledger = Ledger()
    diverged: int = 0
    overloads: int = 0
    lost: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    stopped: str = ""

    def wanted(self, config: ConfigDict) -> bool:
        """Whether there is a further round to do."""
        return not self.stopped and self.rounds < config.rounds


def advancing(
    stack: Stack, targets: Sequence[float], vmapped: bool | None = None
) -> Callable[[Sequence[Progress]], list[Progress]]:
    """Every run's progress -> the same at its next evaluation.

    Runs may stand at different rounds; one that wants no further round stays. It is one
    call on the device, or several where the figures of all the rounds between two
    evaluations would take more than `MOST_BYTES`.

    Args:
        stack: the runs.
        targets: the loss at which each one stops.
        vmapped: see `over_runs`.
    """
    every = stack.configs[0].log.every
    capacity = most_rounds(stack)
    # The states come out as they lie on the devices, lest the next call compile anew.
    lie = [jax.tree.map(lambda leaf: leaf.sharding, run.state) for run in stack.runs]
    links = [run.links for run in stack.runs]
    everywhere = NamedSharding(stack.runs[0].mesh, PartitionSpec())

    def rounds_of_one(parts, root, data, state, start, count, target):
        step = functools.partial(federated.round_step, parts.federation, root, data)
        return federated.run_rounds(step, state, start, count, capacity, target)

    @functools.partial(
        jax.jit, donate_argnames="states", out_shardings=(lie, *(everywhere,) * 3)
    )
    def rounds(shared, arrays, states, *each):
        each_run = over_runs(stack, rounds_of_one, vmapped)
        states, *rest = each_run(shared, arrays, rows_of(states), *each)
        return [row(states, i) for i in range(len(lie))], *rest

    def piece(all_progress: Sequence[Progress], counts: list[int]) -> list[Progress]:
        states, metrics, done, reached = rounds(
            stack.shared,
            stack.arrays,
            [progress.state for progress in all_progress],
            np.array([progress.rounds for progress in all_progress], np.int32),
            np.array([min(count, capacity) for count in counts], np.int32),
            np.array(targets, np.float32),
        )
        metrics, done, reached = jax.device_get((metrics, done, reached))
        return [
            counted(progress, links[i], row(metrics, i), int(done[i]))._replace(
                state=states[i],
                stopped=f"residual {stack.configs[i].stop.residual:g} reached"
                if reached[i]
                else progress.stopped,
            )
            for i, progress in enumerate(all_progress)
        ]

    def advance(all_progress: Sequence[Progress]) -> list[Progress]:
        ends = [
            min(progress.rounds + every - progress.rounds % every, config.rounds)
            for progress, config in zip(all_progress, stack.configs, strict=True)
        ]
        while True:
            counts = [
                0 if progress.stopped else max(0, end - progress.rounds)
                for progress, end in zip(all_progress, ends, strict=True)
            ]
            all_progress = piece(all_progress, counts)
            if max(counts) <= capacity:
                return all_progress

    return advance


def most_rounds(stack: Stack) -> int:
    """How many rounds' figures one call on the device holds: 1 or more.

    As many as lie between two evaluations, but no more than there are to do, and than
    `MOST_BYTES` hold: what a round reports is about a number for each client.
    """
    bytes_a_round = (
        4 * len(stack.runs) * (stack.configs[0].clients + len(Metrics._fields))
    )
    rounds = max(config.rounds for config in stack.configs)
    fit = max(1, MOST_BYTES // bytes_a_round)
    return min(stack.configs[0].log.every, rounds, fit)


def measuring(
    stack: Stack, vmapped: bool | None = None
) -> Callable[[Sequence[Progress]], list[dict[str, Any]]]:
    """Every run's progress -> its line of the metrics file."""

    everywhere = NamedSharding(stack.runs[0].mesh, PartitionSpec())

    @functools.partial(jax.jit, out_shardings=everywhere)
    def evaluate(shared, arrays, states, rounds, test):
        def one(parts, root, data, state, round_index):
            return parts.evaluate(root, state, round_index, data, *test)

        return over_runs(stack, one, vmapped)(shared, arrays, rows_of(states), rounds)

    def measure(all_progress: Sequence[Progress]) -> list[dict[str, Any]]:
        states = [progress.state for progress in all_progress]
        rounds = np.array([progress.rounds for progress in all_progress], np.int32)
        test = stack.runs[0].test
        found = evaluate(stack.shared, stack.arrays, states, rounds, test)
        return [
            line(config, run, progress, float(loss), int(correct))
            for config, run, progress, loss, correct in zip(
                stack.configs, stack.runs, all_progress, *jax.device_get(found)
            )
        ]

    return measure


def line(
    config: ConfigDict, run: Run, progress: Progress, loss: float, correct: int
) -> dict[str, Any]:
    """A line of the metrics file."""
    return {
        "round": progress.rounds,
        "train_loss": loss if math.isfinite(loss) else None,
        "test_accuracy": correct / len(run.test[1]),
        "uploads": progress.ledger.uploads,
        **ledger.counted(progress.ledger, run.links, **config.accounting),
        "diverged_clients": progress.diverged,
        "overloads": progress.overloads,
        **(radio_figures(progress) if run.federation.network.costs else {}),
    }


def radio_figures(progress: Progress) -> dict[str, float]:
    """What a run in a cell has used so far."""
    return {
        "lost": progress.lost,
        "seconds": progress.seconds,
        "joules": progress.joules,
    }


def counted(progress: Progress, links: Links, metrics: Metrics, done: int) -> Progress:
    """The progress with the totals of the first `done` rounds of `metrics`."""
    metrics = jax.tree.map(lambda leaf: leaf[:done], metrics)
    return progress._replace(
        rounds=progress.rounds + done,
        ledger=progress.ledger.add(
            links, metrics.uplink_bits, metrics.listeners, metrics.downlink_bits
        ),
        diverged=progress.diverged + int(np.sum(metrics.diverged)),
        overloads=progress.overloads + int(np.sum(metrics.overloads)),
        lost=progress.lost + int(np.sum(metrics.lost)),
        seconds=progress.seconds + float(np.sum(metrics.seconds, dtype=np.float64)),
        joules=progress.joules + float(np.sum(metrics.joules, dtype=np.float64)),
    )
