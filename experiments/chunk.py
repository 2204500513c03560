"""The rounds between two evaluations: one program on the device, totals on the host."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from experiments import ledger
from experiments.build import Run
from experiments.ledger import Ledger
from flq_jax import federated
from flq_jax.federated import Metrics, State


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


def advancing(
    config: ConfigDict, run: Run, target: float
) -> Callable[[Progress], Progress]:
    """progress -> progress at the next evaluation, in one call on the device.

    Args:
        config: validated.
        run: what `config` builds.
        target: the loss at which the run stops.
    """
    every = config.log.every

    # The state comes out as it lies on the devices, lest the next call compile anew.
    lies = jax.tree.map(lambda leaf: leaf.sharding, run.state)

    @functools.partial(
        jax.jit, donate_argnames="state", out_shardings=(lies, None, None, None)
    )
    def rounds(root, data, state, start, count, target):
        step = functools.partial(federated.round_step, run.federation, root, data)
        return federated.run_rounds(step, state, start, count, every, target)

    def advance(progress: Progress) -> Progress:
        count = min(every - progress.rounds % every, config.rounds - progress.rounds)
        state, metrics, done, reached = rounds(
            run.root,
            run.data,
            progress.state,
            np.int32(progress.rounds),
            np.int32(count),
            np.float32(target),
        )
        why = f"residual {config.stop.residual:g} reached" if reached else ""
        return counted(progress, metrics, int(done))._replace(state=state, stopped=why)

    return advance


def measuring(config: ConfigDict, run: Run) -> Callable[[Progress], dict[str, Any]]:
    """progress -> its line of the metrics file."""
    evaluate = jax.jit(run.evaluate)

    def measure(progress: Progress) -> dict[str, Any]:
        round_index = np.int32(progress.rounds)
        loss, correct = evaluate(
            run.root, progress.state, round_index, run.data, *run.test
        )
        return {
            "round": progress.rounds,
            "train_loss": float(loss) if math.isfinite(loss) else None,
            "test_accuracy": int(correct) / len(run.test[1]),
            "uploads": progress.ledger.uploads,
            **ledger.counted(progress.ledger, run.links, **config.accounting),
            "diverged_clients": progress.diverged,
            "overloads": progress.overloads,
            **(radio_figures(progress) if config.network.name == "cell" else {}),
        }

    return measure


def radio_figures(progress: Progress) -> dict[str, float]:
    """What a run in a cell has used so far."""
    return {
        "lost": progress.lost,
        "seconds": progress.seconds,
        "joules": progress.joules,
    }


def counted(progress: Progress, metrics: Metrics, done: int) -> Progress:
    """The progress with the totals of the first `done` rounds of `metrics`."""
    metrics = jax.tree.map(lambda leaf: np.asarray(leaf)[:done], metrics)
    return progress._replace(
        rounds=progress.rounds + done,
        ledger=progress.ledger.add(
            metrics.uplink_bits, metrics.listeners, metrics.downlink_bits
        ),
        diverged=progress.diverged + int(np.sum(metrics.diverged)),
        overloads=progress.overloads + int(np.sum(metrics.overloads)),
        lost=progress.lost + int(np.sum(metrics.lost)),
        seconds=progress.seconds + float(np.sum(metrics.seconds, dtype=np.float64)),
        joules=progress.joules + float(np.sum(metrics.joules, dtype=np.float64)),
    )
