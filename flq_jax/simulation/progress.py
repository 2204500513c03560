"""Where a run stands, and the line that says so."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from flq_jax import ledger
from flq_jax.federated import Metrics, State
from flq_jax.ledger import Ledger, Links

# The names that a line of figures may have beside those of metrics.
FIGURES = (
    *("round", "train_loss", "uploads", "uplink_bits", "downlink_bits"),
    *("diverged_clients", "overloads", "lost", "seconds", "joules"),
)
DIVERGED = "diverged: the loss is not finite"
MODEL_DIVERGED = "diverged: the model is not finite"
NOBODY_FINITE = "diverged: no client's update is finite"


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
        nobody_finite: whether in the last round there were updates, none of them finite.
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
    nobody_finite: bool = False

    def wanted(self, rounds: int) -> bool:
        """Whether a run of so many rounds has a further one to do."""
        return not self.stopped and self.rounds < rounds


def counted(progress: Progress, links: Links, metrics: Metrics, done: int) -> Progress:
    """The progress with the totals of the first `done` rounds of `metrics`."""
    metrics = jax.tree.map(lambda leaf: leaf[:done], metrics)
    nobody_finite = progress.nobody_finite
    if done:  # a round's loss is that of those whose update was finite
        nobody_finite = bool(metrics.diverged[-1] and np.isnan(metrics.loss[-1]))
    return progress._replace(
        rounds=progress.rounds + done,
        ledger=progress.ledger.add(
            links,
            np.asarray(metrics.uplink_bits),
            np.asarray(metrics.listeners),
            np.asarray(metrics.downlink_bits),
        ),
        diverged=progress.diverged + int(np.sum(metrics.diverged)),
        overloads=progress.overloads + int(np.sum(metrics.overloads)),
        lost=progress.lost + int(np.sum(metrics.lost)),
        seconds=progress.seconds + float(np.sum(metrics.seconds, dtype=np.float64)),
        joules=progress.joules + float(np.sum(metrics.joules, dtype=np.float64)),
        nobody_finite=nobody_finite,
    )


def judged_by(progress: Progress, row: Mapping[str, Any]) -> Progress:
    """The progress, stopped if the run has diverged as of its line of figures.

    It has where the train loss is not finite, be it that of a sample. Where lines have
    none, it has if the server's params are not finite, or if nobody whom the last round
    asked had a finite update, see `sendable`: then the model is as it was, and so will
    be the next round. A model that is finite with a loss that is not is so found a round
    later, and one whose loss overflows on some clients alone goes on, those silent and
    counted in `diverged_clients`.
    """
    if "train_loss" in row:
        reason = DIVERGED if row["train_loss"] is None else ""
    elif not np.isfinite(np.asarray(progress.state.params)).all():
        reason = MODEL_DIVERGED
    else:
        reason = NOBODY_FINITE if progress.nobody_finite else ""
    return progress._replace(stopped=reason) if reason else progress


def line(
    progress: Progress,
    links: Links,
    judged: dict[str, Any],
    costs: bool,
    *,
    count: str = "payload",
    downlink: str = "broadcast_once",
    float_bits: int = 32,
) -> dict[str, Any]:
    """A line of figures, all of them totals since the first round.

    Args:
        progress: where the run stands.
        links: the layouts of its messages.
        judged: what an evaluation said of the model there, by name.
        costs: whether rounds cost seconds and joules, see `Network`.
        count, downlink, float_bits: the convention of its bits, see `ledger.counted`.
    """
    radio = {
        "lost": progress.lost,
        "seconds": progress.seconds,
        "joules": progress.joules,
    }
    return {
        "round": progress.rounds,
        **judged,
        "uploads": progress.ledger.uploads,
        **ledger.counted(progress.ledger, links, count, downlink, float_bits),
        "diverged_clients": progress.diverged,
        "overloads": progress.overloads,
        **(radio if costs else {}),
    }


def noted(progress: Progress) -> dict[str, Any]:
    """All of it but the state, as JSON has it: what a checkpoint keeps beside that."""
    kept = progress._asdict()
    del kept["state"]
    return kept | {"ledger": progress.ledger._asdict()}


def from_note(kept: dict[str, Any], state: State) -> Progress:
    """What `noted` kept, with its state; ValueError if it has a count that we have not."""
    if unknown := set(kept) - set(Progress._fields):
        raise ValueError(f"counted {', '.join(sorted(unknown))}")
    counts = {k: tuple(map(tuple, lines)) for k, lines in kept["ledger"].items()}
    fields: dict[str, Any] = {**kept, "ledger": Ledger(**counts)}
    return Progress(state=state, **fields)
