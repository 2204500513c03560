"""Runs of tasks that know no accuracy: told, drawn, compared and resumed by their own."""

import json

import numpy as np
import pytest

from flq_jax.configs import default
from flq_jax.experiments import export
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.assembly.setting import dataset_of
from flq_jax.experiments.engine import sweep
from flq_jax.experiments.folder.beginning import directions
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.process.metric_text import OF_SUMMARY
from flq_jax.experiments.reading import grouping, results
from flq_jax.experiments.reading.formats import markdown
from flq_jax.experiments.reading.table import summary_table
from flq_jax.experiments.reading.targets import targets
from flq_jax.simulation.progress import FIGURES

RUN = {
    "rounds": 4, "clients": 2, "client": "gradient(batch=0)", "log.every": 2,
    "log.checkpoint_every": 2,
}  # fmt: skip


def leave_data(path, targets_of):
    """Made of f32[n, 3] and a function of them: an npz of 40 and 20 examples."""
    rng = np.random.default_rng(0)
    train, test = (rng.normal(size=(n, 3)).astype(np.float32) for n in (40, 20))
    np.savez(
        path,
        train_inputs=train,
        train_labels=targets_of(train),
        test_inputs=test,
        test_labels=targets_of(test),
    )
    return f"npz({str(path)!r})"


def trained(folder, **options):
    """Runs a config to its end, in `folder`: its lines of metrics and its summary."""
    config = default.get_config()
    config.update_from_flattened_dict(RUN | options)
    assert not sweep.run_all(sweep.prepared({"": config}, folder))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").open()]
    return config, rows, json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """Folder, options and end of a run on y = x_1 - 2 x_2, f32[n]."""
    folder = tmp_path_factory.mktemp("regression")
    options = {
        "data": leave_data(folder / "line.npz", lambda x: x @ np.float32([1, -2, 0])),
        "model": "Logistic(1)", "task": "regression()", "step": "0.5",
    }  # fmt: skip
    return folder, options, trained(folder / "runs/line", **options)


def test_a_regression_is_judged_by_its_root_mean_square(regression, capsys):
    """The targets' own is 5^(1/2) in expectation, which is where the model begins."""
    folder, _, (_, rows, summary) = regression
    assert list(rows[0])[:4] == ["round", "train_loss", "test_rmse", "uploads"]
    assert summary["metrics"] == {"test_rmse": "lower"}
    assert 2.5 > rows[0]["test_rmse"] > rows[1]["test_rmse"] == summary["test_rmse"]
    assert summary["data"]["classes"] == 0
    (found,) = results.read(folder / "runs")
    assert found.metrics == {"test_rmse": "lower"} and found.mark == ""


def test_bits_to_a_root_mean_square_are_in_the_table(regression):
    folder, _, (_, rows, _) = regression
    groups = grouping.grouped(results.read(folder / "runs"))
    aims = targets(groups, [rows[1]["test_rmse"]])
    text = markdown(summary_table(groups, aims))
    header, line = summary_table(groups, aims)
    aim = f"uplink bits to test rmse {rows[1]['test_rmse']:g}"
    assert dict(zip(header, line))[aim] == f"{rows[1]['uplink_bits']:.4g}"
    assert dict(zip(header, line))["test rmse"] == f"{rows[1]['test_rmse']:.4g}"
    assert "%" not in text
    (least,) = targets(groups)[
        "test_rmse"
    ]  # what it reached, to two digits, rounded up
    assert least - 0.01 < rows[1]["test_rmse"] <= least


def test_a_resumed_regression_has_the_lines_of_one_that_was_never_stopped(
    regression, tmp_path
):
    _, options, (_, first, _) = regression
    trained(tmp_path / "resumed", **options, rounds=2)
    _, resumed, summary = trained(tmp_path / "resumed", **options)
    assert resumed == first and summary["round"] == 4


def test_a_run_that_has_not_ended_says_as_well_which_values_are_better(
    regression, tmp_path
):
    folder = regression[0]
    for name in ("config.json", "metrics.jsonl", "begun.json"):
        text = (folder / "runs/line" / name).read_text()
        (tmp_path / name).write_text(text)
    (found,) = results.read(tmp_path)
    assert found.mark == "unfinished" and found.metrics == {"test_rmse": "lower"}
    assert results.cost_to(found, 1e9, "round") == 2
    assert results.cost_to(found, 1e-9, "round") is None


def test_the_exported_model_of_a_regression_is_judged_by_it_too(
    regression, tmp_path, capsys
):
    folder, _, (_, rows, _) = regression
    export.exported(folder / "runs/line", tmp_path / "model.npz", None)
    rmse = f"{rows[1]['test_rmse']:.4g}"
    told = capsys.readouterr().out.splitlines()[-1]
    assert told == f"test rmse {rmse} as trained, {rmse} from the file"


def test_a_task_of_many_labels_is_judged_by_f1(tmp_path):
    """Whether x_1 > 0 and whether x_2 > 0: a linear model tells both."""
    data = leave_data(tmp_path / "sets.npz", lambda x: x[:, :2] > 0)
    _, rows, summary = trained(
        tmp_path / "runs",
        data=data,
        model="Logistic(2)",
        task="multi_label()",
        step="5.0",
    )
    assert summary["metrics"] == {"test_f1": "higher"}
    assert rows[-1]["test_f1"] > 0.9
    (group,) = grouping.grouped(results.read(tmp_path / "runs"))
    table = summary_table([group], targets([group], [0.5]))
    assert "uplink bits to test f1 0.5" in table[0]
    assert table[1][0] == "runs" and "remarks" not in table[0]


@pytest.mark.parametrize("task", ["multi_label()", "regression()"])
def test_targets_that_the_task_does_not_take_are_told_in_one_line(task, tmp_path):
    config = default.get_config()
    config.update_from_flattened_dict(RUN | {"data": "synthetic()", "task": task})
    with pytest.raises(ConfigError, match=r"config\.task: .*targets") as error:
        sweep.prepared({"": config}, tmp_path)
    assert "\n" not in str(error.value)


def test_no_metric_can_have_a_name_that_a_summary_has(regression):
    folder, _, (config, _, summary) = regression
    metrics = directions(build(config, dataset_of(config)).task)
    assert set(summary) - set(metrics) <= {*FIGURES, *OF_SUMMARY}


def test_a_run_without_a_train_loss_is_logged_drawn_and_ended(
    regression, tmp_path, capsys
):
    """And its figures are else those of the run that has it."""
    _, options, (_, rows, summary) = regression
    _, found, end = trained(tmp_path / "a", **options, **{"log.train_loss": 0.0})
    for row in rows:
        row = {name: value for name, value in row.items() if name != "train_loss"}
        assert found.pop(0) == row
    assert "train_loss" not in end and end["train_loss_share"] == 0
    assert end["test_rmse"] == summary["test_rmse"] and end["stopped"] == ""
    header = (tmp_path / "a/metrics.csv").read_text().splitlines()[0]
    assert header.startswith("round,test_rmse,uploads")
    assert (tmp_path / "a/figures/rounds.png").exists()
    assert "loss" not in capsys.readouterr().out
    before = (tmp_path / "a/summary.json").read_bytes()
    trained(tmp_path / "a", **options, **{"log.train_loss": 0.0})
    assert (tmp_path / "a/summary.json").read_bytes() == before
    with pytest.raises(ConfigError, match="log.train_loss: 0.0 there, 0.5 here"):
        trained(tmp_path / "a", **options, **{"log.train_loss": 0.5})
