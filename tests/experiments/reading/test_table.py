"""The table of a folder's runs, and the columns that may be chosen."""

import json

import pytest
from test_results import leave, two_seeds_and_one_that_diverged

from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import columns, grouping, results
from flq_jax.experiments.reading.formats import markdown
from flq_jax.experiments.reading.table import lines, summary_table
from flq_jax.experiments.reading.targets import targets

AIMS = {"test_accuracy": [0.9]}


@pytest.fixture
def groups(tmp_path):
    return two_seeds_and_one_that_diverged(tmp_path)


def test_the_table_has_a_line_for_each_group(groups):
    header, laq, sgd = summary_table(groups, AIMS)
    cells = dict(zip(header, laq))
    assert cells["runs"] == "laq × 2" and cells["remarks"] == ""
    assert cells["test accuracy (%)"] == "90.00"
    assert cells["rounds to 90 %"] == "20"
    assert cells["total bits to 90 %"] == "2001"
    assert dict(zip(header, sgd))["remarks"] == "diverged"


def test_the_table_says_that_messages_overloaded(tmp_path):
    for seed, overloads in enumerate((590, 610)):
        folder = tmp_path / f"fixed-seed{seed}"
        leave(folder, seed=seed)
        rows = [json.loads(x) for x in (folder / "metrics.jsonl").open()]
        rows = [json.dumps(row | {"overloads": overloads}) for row in rows]
        (folder / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    groups = grouping.grouped(results.read(tmp_path))
    header, line = summary_table(groups, AIMS)
    assert dict(zip(header, line))["remarks"] == "overloads 600 ± 14"


def test_it_says_how_many_of_the_seeds_diverged_and_leaves_them_out(tmp_path):
    leave(tmp_path / "a-seed0", seed=0)
    leave(tmp_path / "a-seed1", seed=1, losses=(9.0, None), accuracies=(0.1, 0.1))
    groups = grouping.grouped(results.read(tmp_path))
    header, line = summary_table(groups, AIMS)
    told = dict(zip(header, line))
    assert told["remarks"] == "1 of 2 diverged"
    assert told["test accuracy (%)"] == "90.00 (1 of 2)"
    assert told["rounds to 90 %"] == "20 (1 of 2)"


def test_a_seed_that_does_not_tell_a_figure_is_counted_as_one_without_it(tmp_path):
    """Seed 1 has not ended, so that no summary tells of its clients."""
    for seed in (0, 1):
        leave(tmp_path / f"a-seed{seed}", seed=seed, ended=not seed)
    path = tmp_path / "a-seed0/summary.json"
    said = {"metric": "accuracy", "examples": "test", "clients": 3, "mean": 0.5}
    said = {"clients": said | {"worst_tenth": 0.25}}
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    groups = grouping.grouped(results.read(tmp_path))
    header, line = summary_table(groups, AIMS)
    told = dict(zip(header, line))
    assert told["accuracy (%), worst tenth of clients"] == "25.00 (1 of 2)"


def test_markdown_has_as_many_cells_in_every_line(groups):
    text = markdown(summary_table(groups, AIMS)).splitlines()
    assert len(text) == 4 and len({line.count("|") for line in text}) == 1


def test_columns_stand_as_they_were_chosen(tmp_path):
    leave(tmp_path / "a", losses=(1.0, 1.0, 0.5), accuracies=(0.4, 0.8, 0.6))
    groups = grouping.grouped(results.read(tmp_path))
    names = ["test_accuracy.last2", "test_accuracy.best", "test_accuracy", "bits"]
    found = lines(groups, columns.chosen(names, groups, AIMS))
    assert found[1] == ["a", "70.00", "80.00", "60.00", "3002"]
    assert found[0][1] == "test accuracy (%), mean of the last 2 evaluations"


def test_a_cost_has_a_column_for_each_target(groups):
    names = ["uplink_bits_to"]
    found = columns.chosen(names, groups, {"test_accuracy": [0.5, 0.9]})
    assert [column.heading for column in found] == [
        "uplink bits to 50 %",
        "uplink bits to 90 %",
    ]


@pytest.mark.parametrize("name", ["test_acuracy", "", "test_accuracy.last0", "joules"])
def test_a_column_that_is_none_is_one_line_with_those_there_are(name, groups):
    with pytest.raises(ConfigError, match="--columns: must be of rounds, ") as error:
        columns.chosen([name], groups, AIMS)
    assert "\n" not in str(error.value)


def test_targets_are_those_asked_for_or_what_half_of_the_groups_reach(tmp_path):
    for name, accuracy in {"a": 0.613, "b": 0.909, "c": 0.95}.items():
        leave(tmp_path / name, accuracies=(0.1, accuracy), method=name)
    groups = grouping.grouped(results.read(tmp_path))
    assert targets(groups) == {"test_accuracy": [0.9]}
    assert targets(groups, [0.5, 0.7]) == {"test_accuracy": [0.5, 0.7]}
    assert targets(groups, [0.5], {"test_accuracy": [0.6]}) == {"test_accuracy": [0.6]}
    with pytest.raises(
        ConfigError, match="--targets: must be of test_accuracy, .*'rmse'"
    ):
        targets(groups, [0.5], {"rmse": [2.0]})
