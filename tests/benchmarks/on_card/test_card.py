"""The card's parts keep their time, and its works fail alone."""

import jax
import pytest

from flq_jax.benchmarks.on_card import kernels
from flq_jax.benchmarks.on_card.card import PARTS, Part, card


class Clock:
    """Seconds that pass when a work says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def works(self, *seconds):
        """Works that take so long each."""

        def take(long):
            self.now += long
            return {"took": long}

        return lambda small, ceiling: (
            (str(i), lambda long=long: take(long)) for i, long in enumerate(seconds)
        )


def outcomes(parts, seconds, clock):
    """part -> a row's outcome after the other, but for the last, which is of the whole."""
    rows = list(card(True, seconds, parts, clock))
    said = {}
    for row in rows:
        said.setdefault(row["part"], []).append(
            row.get("took", row.get("error", row.get("left_out")))
        )
    return {part: row[:-1] for part, row in said.items()}, rows


def test_what_would_come_too_late_is_left_out_and_named():
    clock = Clock()
    # 10 of 40 s: after 8 s another work of 4 s would come too late, whatever it takes.
    parts = {"a": Part(0.1, clock.works(4, 4, 1, 4)), "b": Part(0.3, clock.works(30))}
    said, rows = outcomes(parts, 40.0, clock)
    assert said == {"a": [4, 4, "out of time", "out of time"], "b": [30]}
    assert [row["work"] for row in rows[:4]] == ["0", "1", "2", "3"]
    assert rows[4] == {"part": "a", "work": "all of it", "seconds": 8.0} | {
        key: value for key, value in rows[4].items() if key == "clocks"
    }


def test_what_a_part_leaves_over_is_for_the_next():
    clock = Clock()
    # `b` has 20 s, and the 15 that `a` did not need.
    parts = {"a": Part(1.0, clock.works(5)), "b": Part(1.0, clock.works(*[6] * 9))}
    said, _ = outcomes(parts, 40.0, clock)
    assert said["b"] == 5 * [6] + 4 * ["out of time"]


def test_a_part_whose_time_is_gone_begins_nothing():
    clock = Clock()
    parts = {"a": Part(1.0, clock.works(50)), "b": Part(1.0, clock.works(1))}
    said, _ = outcomes(parts, 40.0, clock)
    assert said == {"a": [50], "b": ["out of time"]}


def test_a_work_that_fails_lets_the_next_begin():
    def broken():
        raise ValueError("no such unit\nand more")

    def silent():
        raise RuntimeError

    parts = {"a": Part(1.0, lambda *_: [("0", broken), ("1", silent), ("2", dict)])}
    said, _ = outcomes(parts, 60.0, Clock())
    assert said == {"a": ["ValueError: no such unit", "RuntimeError: ", None]}


def test_ceilings_that_a_part_notes_are_those_of_the_next():
    def noting(small, ceiling):
        yield "copy", lambda: ceiling.update(bytes=7.0) or {}

    def asking(small, ceiling):
        yield "ask", lambda: {"took": ceiling["bytes"]}

    parts = {"a": Part(1.0, noting), "b": Part(1.0, asking)}
    for _ in range(2):
        said, _ = outcomes(parts, 60.0, Clock())
        assert said["b"] == [7.0]


def test_shares_are_the_whole():
    assert sum(part.share for part in PARTS.values()) == pytest.approx(1.0)


@pytest.mark.more
def test_small_form_measures_every_part():
    rows = list(card(True, 1e6))
    assert not [row for row in rows if "error" in row or "left_out" in row]
    assert {row["part"] for row in rows} == set(PARTS)
    of = {
        name: [row for row in rows[:] if row["part"] == name and "seconds" not in row]
        for name in PARTS
    }
    assert [row["wrong"] for row in of.pop("exactness")] == [0] * 6
    assert all(row["us"] > 0 for part in of.values() for row in part)
    # But for the ceilings themselves, everything has a floor.
    del of["ceilings"]
    assert all(row["floor_us"] > 0 for part in of.values() for row in part)


@pytest.mark.parametrize("platform, own", [("gpu", ("gpu", "ptx")), ("tpu", ("tpu",))])
def test_a_platforms_own_kernels_are_timed_beside_xlas(monkeypatch, platform, own):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    named = [f"{way}_{kind}" for way in own for kind in ("popcount", "int8")]
    assert kernels.backends_here() == (None, "lax_dot", *named)
