"""Times are medians of repeats, of a unit of work."""

import itertools

import pytest

from flq_jax.benchmarks.on_card import measure


def test_a_call_of_a_second_is_repeated_while_there_is_time():
    # The clock is read before and after each repeat, which take 1, 1, 1, 2, 3 s.
    long = [1, 1, 1, 2, 3]
    ticks = itertools.chain.from_iterable((0, seconds) for seconds in long)
    row = measure.measured(lambda: None, per_call=4, clock=lambda: next(ticks))
    assert row["first_s"] == 1
    # Three repeats of 6 s in all, more than ENOUGH; the median is 2 s of four units.
    assert row["us"] == pytest.approx(2e6 / 4)
    assert row["spread"] == 3


def test_short_calls_are_taken_together():
    calls, now = [], [0.0]

    def call():
        calls.append(None)
        now[0] += 0.001

    row = measure.measured(call, clock=lambda: now[0])
    assert row["us"] == pytest.approx(1000.0)
    # Two before, then nine times twenty, which are 20 ms.
    assert len(calls) == 2 + measure.REPEATS * 20


def test_the_machine_says_what_it_is():
    row = measure.machine()
    assert row["part"] == "where"
    assert row["work"].startswith("cpu")
    assert {"jax", "jaxlib", "python", "numpy", "flq_jax", "devices"} <= set(row)


def test_clocks_are_what_nvidia_smi_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measure.clocks() == {}
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho ' 1980 MHz,' \"$1\"\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert measure.clocks()["clocks"].startswith("1980 MHz, --query-gpu=clocks.sm")
    assert "nvidia_smi" in measure.machine()
