"""The rounds between two evaluations: calls on the device, totals on the host."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jax.sharding import Mesh

from flq_jax.federated import Metrics, State
from flq_jax.federated.sharding import on_cpu
from flq_jax.ledger import Links
from flq_jax.simulation.progress import Progress, counted

MOST_BYTES = 2**26  # of a call's figures: 880,000 rounds of ten clients


class Piece(NamedTuple):
    """What a call on the device made of one run.

    Attributes:
        state: after the last round.
        metrics: of its rounds, on the host, see `run_rounds`.
        done: how many there were.
        reached: whether the loss came to its target.
    """

    state: State
    metrics: Metrics
    done: int
    reached: bool


# (each run's progress, the rounds that each shall do) -> what became of each
Call = Callable[[Sequence[Progress], Sequence[int]], list[Piece]]


def next_evaluation(done: int, every: int, rounds: int) -> int:
    """The round after which a run of `rounds` is looked at next: a multiple of `every`."""
    return min(done + every - done % every, rounds)


def most_rounds(every: int, rounds: int, clients: int, runs: int = 1) -> int:
    """How many rounds' figures one call on the device holds: 1 or more.

    As many as lie between two evaluations, but no more than there are to do, and than
    `MOST_BYTES` hold: what a round reports is about a number for each client.
    """
    bytes_a_round = 4 * runs * (clients + len(Metrics._fields))
    return min(every, rounds, max(1, MOST_BYTES // bytes_a_round))


def of_known_length(mesh: Mesh, counts: Sequence[int], capacity: int) -> bool:
    """Whether a call's loop of rounds is to be compiled as one of `capacity` trips.

    So it is where all runs do as many and the host of an accelerator would have to ask,
    after each, whether there is another. What is left over has the program of traced
    length, as all calls have on a CPU, where asking costs nothing.
    """
    return not on_cpu(mesh) and set(counts) == {capacity}


def advanced(
    call: Call,
    all_progress: Sequence[Progress],
    links: Sequence[Links],
    ends: Sequence[int],
    capacity: int,
    why: Sequence[str],
) -> list[Progress]:
    """Every run's progress after round `ends`, or after the one that reached its target.

    Runs may stand at different rounds; one that wants no further round stays. It is one
    call, or several where a run has more to do than a call holds.

    Args:
        call: does some rounds, at most `capacity`.
        all_progress: where the runs stand.
        links: the layouts of each one's messages.
        ends: the round that each shall come to.
        capacity: see `most_rounds`.
        why: what is said of each that it has `stopped` once its target is reached.
    """
    all_progress = list(all_progress)
    while True:
        counts = [
            0 if progress.stopped else max(0, end - progress.rounds)
            for progress, end in zip(all_progress, ends, strict=True)
        ]
        pieces = call(all_progress, [min(count, capacity) for count in counts])
        all_progress = [
            counted(progress, link, piece.metrics, piece.done)._replace(
                state=piece.state,
                stopped=reason if piece.reached else progress.stopped,
            )
            for progress, link, piece, reason in zip(
                all_progress, links, pieces, why, strict=True
            )
        ]
        if max(counts) <= capacity:
            return all_progress
