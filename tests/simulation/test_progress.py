"""Where a run stands, as a line and as a note."""

import json

import numpy as np
import pytest

from flq_jax.federated import Metrics
from flq_jax.ledger import Links
from flq_jax.quantizers import Layout
from flq_jax.simulation.progress import (
    FIGURES,
    Progress,
    counted,
    from_note,
    line,
    noted,
)

# A message of 3 codes of 2 bits and a range, a broadcast of 3 floats.
LINKS = Links(Layout.of("up", 2, 3, 1), Layout.of("down", 32, 3, floats=True), 32)


def metrics(rounds):
    """Each round the same: one of two clients speaks, both hear."""
    one = Metrics(0.5, 1, 2, 96, np.array([38, 0]), 2, 1, 0.25, 2.0)
    return Metrics(*(np.stack([leaf] * rounds) for leaf in one))


def test_totals_are_those_of_the_rounds_that_were_done():
    """Of five rows three are filled."""
    progress = counted(Progress(4, None), LINKS, metrics(5), 3)
    assert line(progress, LINKS, {"train_loss": 0.5}, costs=True) == {
        "round": 7,
        "train_loss": 0.5,
        "uploads": 3,
        "uplink_bits": 3 * 38,
        "downlink_bits": 3 * (96 + 32),
        "diverged_clients": 3,
        "overloads": 6,
        "lost": 3,
        "seconds": 0.75,
        "joules": 6.0,
    }
    found = line(progress, LINKS, {"train_loss": 0.5}, costs=True)
    assert tuple(found) == FIGURES
    other = line(progress, LINKS, {}, costs=False, count="laq", float_bits=64)
    assert other["uplink_bits"] == 3 * 6 and other["downlink_bits"] == 3 * 192
    assert "joules" not in other


def test_a_note_in_json_is_the_progress_again():
    progress = counted(Progress(0, None), LINKS, metrics(2), 2)
    kept = json.loads(json.dumps(noted(progress)))
    again = from_note(kept, None)
    assert noted(again) == noted(progress)
    assert line(again, LINKS, {}, costs=True) == line(progress, LINKS, {}, costs=True)
    assert kept["ledger"]["lengths"] == [[38, 2]]
    with pytest.raises(ValueError, match="counted luck"):
        from_note(kept | {"luck": 7}, None)


def test_nobody_is_finite_where_all_who_had_an_update_had_none_to_send():
    """The loss is the mean over those who have one: of none of them 0 / 0."""
    found = []
    for loss, diverged in ((np.nan, 2), (0.5, 1), (np.nan, 0)):
        last = metrics(1)._replace(loss=np.array([loss]), diverged=np.array([diverged]))
        found.append(counted(Progress(0, None), LINKS, last, 1).nobody_finite)
    assert found == [True, False, False]
    before = Progress(4, None, nobody_finite=True)
    assert counted(before, LINKS, metrics(2), 0).nobody_finite
