"""From evaluation to evaluation, whatever a call on the device holds."""

import numpy as np
import pytest
from accelerators import Device, mesh_of
from test_progress import LINKS, metrics

from flq_jax.simulation import intervals
from flq_jax.simulation.intervals import Piece, advanced
from flq_jax.simulation.progress import Progress


@pytest.mark.parametrize(
    "done, every, rounds, end",
    [(0, 5, 12, 5), (5, 5, 12, 10), (10, 5, 12, 12), (7, 5, 12, 10)],
)
def test_the_next_evaluation_is_a_multiple_or_the_end(done, every, rounds, end):
    assert intervals.next_evaluation(done, every, rounds) == end


@pytest.mark.parametrize(
    "platform, counts, known",
    [
        ("gpu", [4], True),
        ("tpu", [4, 4], True),
        ("cpu", [4], False),
        ("gpu", [3], False),
        ("gpu", [4, 3], False),
        ("gpu", [4, 0], False),
    ],
)
def test_a_full_call_has_a_known_length_where_a_host_would_be_asked(
    platform, counts, known
):
    device = Device()
    device.platform = platform
    found = intervals.of_known_length(mesh_of(device), counts, 4)
    assert found == known


def test_runs_stop_where_each_is_to_stop():
    """Five rounds in calls of two; the first run reaches its target in its third."""
    asked = []

    def call(all_progress, counts):
        asked.append(list(counts))
        rounds = [
            progress.rounds + count for progress, count in zip(all_progress, counts)
        ]
        first = min(counts[0], max(0, 3 - all_progress[0].rounds))
        return [
            Piece(rounds[0], metrics(2), first, all_progress[0].rounds + first == 3),
            Piece(rounds[1], metrics(2), counts[1], False),
        ]

    begun = [Progress(0, None), Progress(1, None)]
    ended = advanced(call, begun, [LINKS] * 2, [5, 5], 2, ["reached", "never"])
    assert asked == [[2, 2], [2, 2], [0, 0]] or asked == [[2, 2], [2, 2]]
    assert [progress.rounds for progress in ended] == [3, 5]
    assert [progress.stopped for progress in ended] == ["reached", ""]
    assert [progress.ledger.uploads for progress in ended] == [3, 4]
    np.testing.assert_array_equal([p.diverged for p in ended], [3, 4])
