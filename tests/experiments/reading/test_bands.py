"""Curves of groups: what is in the mean, and what is drawn by itself."""

import pytest
from test_results import leave

from flq_jax.experiments.reading import bands, grouping, results


def group(tmp_path, *seeds):
    for seed, options in enumerate(seeds):
        leave(tmp_path / f"a-seed{seed}", seed=seed, bits=4, **options)
    (found,) = grouping.grouped(results.read(tmp_path))
    return found


def test_mean_and_band_are_over_the_seeds(tmp_path):
    found = group(tmp_path, {}, {"accuracies": (0.7, 0.8)})
    first, second = bands.points(found, "uplink_bits", "test_accuracy")
    assert (first.round, first.x, first.n) == (10, 1000.0, 2)
    assert first.mean == pytest.approx(0.6) and second.mean == pytest.approx(0.85)
    assert first.sd == pytest.approx(0.02**0.5)
    assert first.low == pytest.approx(0.6 - 0.02**0.5)
    assert second.values == (0.9, 0.8)
    ends = bands.points(found, "round", "test_accuracy", "range")[0]
    assert (ends.low, ends.high) == (0.5, 0.7)


def test_a_run_that_is_no_result_is_in_no_mean_but_drawn(tmp_path):
    found = group(tmp_path, {}, {"losses": (9.0, None), "accuracies": (0.1, 0.1)})
    points = bands.points(found, "round", "test_accuracy")
    assert [point.mean for point in points] == [0.5, 0.9]
    assert [point.n for point in points] == [1, 1]
    ((run, line),) = bands.alone(found, "round", "test_accuracy", 20)
    assert run.name == "a-seed1" and line == [(10, 0.1), (20, 0.1)]


def test_where_one_has_ended_the_mean_ends_and_the_other_goes_on(tmp_path):
    longer = {"losses": (1.0, 0.5, 0.4), "accuracies": (0.5, 0.7, 0.8), "rounds": 20}
    found = group(tmp_path, {"rounds": 20}, longer)
    points = bands.points(found, "round", "test_accuracy")
    assert [point.n for point in points] == [2, 2, 1]
    both = bands.shared(found, points)
    assert [point.round for point in both] == [10, 20]
    ((run, line),) = bands.alone(found, "round", "test_accuracy", 20)
    assert run.name == "a-seed1" and line == [(20, 0.7), (30, 0.8)]


def test_where_none_is_a_result_all_count(tmp_path):
    found = group(tmp_path, {"ended": False})
    assert bands.counted(found) == found.results
    assert [p.mean for p in bands.points(found, "round", "train_loss")] == [1.0, 0.5]
