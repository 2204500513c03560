"""The records' table tells what a run had sent when it first reached an accuracy."""

import importlib.util
import pathlib

import pytest
from absl import app

from flq_jax.experiments.reading.grouping import Group
from flq_jax.experiments.reading.results import Result

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("records", DOCS / "records.py")
records = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(records)


def line(number, accuracy):
    """After so many rounds of ten messages of 9 bits, and a broadcast of 20."""
    bits = {"uplink_bits": 90 * number, "downlink_bits": 20 * number}
    return {"round": number, "uploads": 10 * number, "test_accuracy": accuracy, **bits}


ROWS = [line(1, 0.8), line(2, 0.95), line(3, 0.9)]


def test_the_first_line_at_the_target_counts():
    """A frame has 26 bytes beside the payload's, and 7 bits at most are unused."""
    found = records.cost(ROWS, 0.9)
    assert found[:3] == (2, 180, 40) and found.bits == 220
    assert found.frames == 220 + 22 * (7 + 208)


def test_a_target_that_is_not_reached_has_no_cost():
    assert records.cost(ROWS, 0.96) is None


def test_a_frame_is_never_longer_than_it_is_said_to_be():
    """A message of 9 bits takes 2 bytes and 26."""
    assert 8 * 28 <= records.frame_bits(9, 1) <= 8 * 29


def test_a_seed_that_fails_is_told_and_not_averaged():
    runs = [
        Result("mnist-x-seed1", {}, ROWS, {"wall_seconds": 30.0}),
        Result("mnist-x-seed2", {}, ROWS[:1], {"wall_seconds": 10.0}),
        Result("mnist-x-seed3", {}, ROWS[:1], {}),
    ]
    (group,) = records.by_row(runs)
    assert records.table(group, [0.8, 0.9]) == [
        "| `mnist-x` | 80 | 1/1/1 | 90 | 20 | 110 | 2.48e+03 | 10 |",
        "|  | 90 | 2/never/not yet | 180 | 40 | 220 | 4.95e+03 | 20 |",
    ]


def test_of_what_nobody_reached_the_first_is_told():
    run = Result("mnist-x-seed1", {}, ROWS, {})
    (group,) = records.by_row([run])
    last = "|  | 98 | not yet | - | - | - | - | - |"
    assert records.table(group, [0.9, 0.98, 0.99])[1:] == [last]


def test_rows_of_one_set_up_are_named_without_it():
    names = "mnist-10-iid-x", "mnist-100-iid-x", "mnist-10-iid-y"
    found = records.set_ups([Group(name, {}, []) for name in names])
    assert {told: [each.name for each in rows] for told, rows in found.items()} == {
        "mnist-10-iid": ["x", "y"],
        "mnist-100-iid": ["x"],
    }


def test_what_was_run_earlier_is_kept_and_the_run_that_got_further_counts(tmp_path):
    file = tmp_path / "curves.csv"
    ended = Result("mnist-x-seed1", {}, ROWS, {"wall_seconds": 30.0})
    begun = ended._replace(rows=ROWS[:1], summary={})
    other = Result("mnist-y-seed1", {}, ROWS[:2], {})

    def curves(runs):
        return [(r.name, r.rows, r.summary) for r in records.with_curves(runs, file)]

    assert curves([begun, other]) == [begun[:1] + begun[2:4], other[:1] + other[2:4]]
    both = [ended[:1] + ended[2:4], other[:1] + other[2:4]]
    assert curves([ended]) == both
    assert curves([begun]) == both
    assert records.with_curves([], tmp_path / "none.csv") == []


def test_a_run_of_another_config_does_not_take_a_name_that_is_there(tmp_path):
    file = tmp_path / "curves.csv"
    run = Result("mnist-x-seed1", {"uplink": "direct(sign())"}, ROWS, {})
    records.with_curves([run], file)
    with pytest.raises(app.UsageError, match="mnist-x-seed1 is of another config"):
        records.with_curves([run._replace(config={"uplink": "lazy()"})], file)
    assert records.with_curves([], file)[0].rows == ROWS


def test_the_picture_has_ten_clients_runs_on_mnist_and_what_is_published():
    runs = [Result("mnist-10-iid-x-seed1", {}, ROWS, {})]
    other = [Result("fashion_mnist-10-iid-x-seed1", {}, ROWS, {})]
    groups = [Group(each[0].name, {}, each) for each in (runs, other)]
    up, both = records.drawn(groups).axes
    assert [*up.lines[0].get_xdata()] == [90, 180, 270]
    assert [*both.lines[0].get_xdata()] == [110, 220, 330]
    assert len(up.lines) == 1 + len(records.PUBLISHED)
    assert len(both.lines) == 2, "of what is published only FLQ says its downlink"
