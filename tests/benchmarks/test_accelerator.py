"""The card's parts keep their time, fail alone, and find what is exact."""

import itertools

import pytest

from flq_jax.benchmarks import accelerator


def test_a_part_ends_when_its_time_has_come():
    def slow(small, ceiling):
        yield from ({"work": str(i)} for i in range(100))

    # A row a second: ceilings have 0.1 of 40 s, and are over it with the fifth row.
    ticks = itertools.count()
    rows = list(
        accelerator.card(True, 40.0, {"ceilings": slow}, lambda: float(next(ticks)))
    )
    assert [row["work"] for row in rows] == ["0", "1", "2", "3", "4", "the rest"]
    assert rows[-1]["left_out"] == "out of time"


def test_a_part_that_fails_lets_the_next_begin():
    def broken(small, ceiling):
        yield {"work": "before"}
        raise ValueError("no such unit")

    parts = {"ceilings": broken, "products": lambda small, ceiling: [{"work": "after"}]}
    rows = list(accelerator.card(True, 60.0, parts))
    assert rows[1]["error"] == "ValueError: no such unit"
    assert rows[2] == {"part": "products", "work": "after"}


def test_shares_are_the_whole():
    assert set(accelerator.SHARES) == set(accelerator.PARTS)
    assert sum(accelerator.SHARES.values()) == pytest.approx(1.0)


@pytest.mark.more
def test_small_form_measures_every_part():
    rows = list(accelerator.card(True, 300.0))
    assert not [row for row in rows if "error" in row or "left_out" in row]
    assert {row["part"] for row in rows} == set(accelerator.PARTS)
    wrong = [row["wrong"] for row in rows if row["part"] == "exactness"]
    assert wrong == [0] * 6
    assert all(row["us"] > 0 for row in rows if "us" in row)
