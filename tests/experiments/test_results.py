"""Runs read back: who belongs together, and what is no result."""

import json

import pytest

from experiments import results


def leave(folder, *, losses=(1.0, 0.5), accuracies=(0.5, 0.9), ended=True, **options):
    """A run's folder, as a run leaves it; `options` are its config's."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model": {"name": "x"}, **options}))
    rows = [
        {"round": 10 * i + 10, "train_loss": loss, "test_accuracy": accuracy,
         "uploads": i, "uplink_bits": 1000 * i + 1000, "downlink_bits": i}
        for i, (loss, accuracy) in enumerate(zip(losses, accuracies))
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    if ended:
        end = {
            "about": "A question?",
            "command": "python -m experiments.main --config=x.py",
            "source": "0123abc",
            "device": "cpu x 1",
            "wall_seconds": 1.5,
            "versions": {"jax": "0.10.2"},
            "data": {"name": "mnist", "classes": 10, "sha256": "abc"},
            "partition": {"sizes": [1, 2], "sha256": "def"},
            "bits": {"uplink": {"payload/32": 1000}},
        }
        (folder / "summary.json").write_text(json.dumps(end))


def test_runs_that_differ_in_the_seed_alone_are_one_group(tmp_path):
    for seed in (1, 0):
        leave(tmp_path / f"laq-seed{seed}", seed=seed, bits=4)
    leave(tmp_path / "other", seed=0, bits=3)
    groups = results.grouped(results.read(tmp_path))
    assert [(g.name, len(g.results)) for g in groups] == [("laq", 2), ("other", 1)]
    assert [r.config["seed"] for r in groups[0].results] == [0, 1]
    assert results.differences(groups) == {"bits": [4, 3]}


def test_a_folder_that_is_a_run_has_its_own_name(tmp_path):
    leave(tmp_path / "mine", seed=0)
    (result,) = results.read(tmp_path / "mine")
    assert result.name == "mine" and result.config == {"model.name": "x", "seed": 0}


def test_a_run_without_a_line_is_left_out(tmp_path):
    leave(tmp_path / "empty", losses=(), accuracies=())
    assert results.read(tmp_path) == []


@pytest.mark.parametrize(
    "run, mark",
    [
        ({}, ""),
        ({"losses": (1.0, None)}, "diverged"),
        ({"losses": (300.0, 200.0)}, "diverged"),
        ({"losses": (2.31, 2.303)}, "stuck"),  # log 10 = 2.3026
        ({"ended": False}, "unfinished"),
        ({"losses": (1.0, None), "ended": False}, "diverged"),
    ],
)
def test_what_is_no_result_is_marked(run, mark, tmp_path):
    leave(tmp_path / "run", **run)
    (result,) = results.read(tmp_path)
    assert result.mark == mark


def test_the_cost_of_an_accuracy_is_that_of_the_first_line_with_it(tmp_path):
    leave(tmp_path / "run", losses=(1, 1, 1), accuracies=(0.5, 0.9, 0.95))
    (result,) = results.read(tmp_path)
    assert results.cost_to(result, 0.9, "round") == 20
    assert results.cost_to(result, 0.5, "uplink_bits") == 1000
    assert results.cost_to(result, 0.96, "round") is None


@pytest.mark.parametrize(
    "values, text",
    [
        ([1.0, 3.0], "2 ± 1.4"),
        ([5.0], "5"),
        ([1.0, None, 3.0], "2 ± 1.4 (2 of 3)"),
        ([None, None], "never"),
    ],
)
def test_mean_and_spread_say_how_many_never_came(values, text):
    assert results.mean_sd(values) == text
