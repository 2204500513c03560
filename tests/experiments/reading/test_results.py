"""Runs read back: who belongs together, and what is no result."""

import json
import os
import pathlib

import pytest

from flq_jax.experiments.reading import grouping, page, results
from flq_jax.experiments.reading.columns import usual


def leave(folder, *, losses=(1.0, 0.5), accuracies=(0.5, 0.9), ended=True, **options):
    """A run's folder, as a run leaves it; `options` are its config's."""
    folder.mkdir(parents=True)
    whole = {"model": {"name": "x"}, "rounds": 10 * len(losses), **options}
    (folder / "config.json").write_text(json.dumps(whole))
    rows = [
        {"round": 10 * i + 10, "train_loss": loss, "test_accuracy": accuracy,
         "uploads": i, "uplink_bits": 1000 * i + 1000, "downlink_bits": i}
        for i, (loss, accuracy) in enumerate(zip(losses, accuracies))
    ]  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    if ended and rows:
        end = {
            "round": rows[-1]["round"],
            "stopped": "",
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


def two_seeds_and_one_that_diverged(folder):
    """The groups "laq", of two runs, and "sgd"."""
    for seed in (0, 1):
        leave(folder / f"laq-seed{seed}", seed=seed, bits=4)
    leave(folder / "sgd", seed=0, bits=32, losses=(9.0, None))
    return grouping.grouped(results.read(folder))


def test_runs_that_differ_in_the_seed_alone_are_one_group(tmp_path):
    for seed in (1, 0):
        leave(tmp_path / f"laq-seed{seed}", seed=seed, bits=4)
    leave(tmp_path / "other", seed=0, bits=3)
    groups = grouping.grouped(results.read(tmp_path))
    assert [(g.name, len(g.results)) for g in groups] == [("laq", 2), ("other", 1)]
    assert [r.config["seed"] for r in groups[0].results] == [0, 1]
    assert grouping.differences(groups) == {"bits": [4, 3]}


def test_a_folder_that_is_a_run_has_its_own_name(tmp_path):
    leave(tmp_path / "mine", seed=0)
    (result,) = results.read(tmp_path / "mine")
    assert result.name == "mine" and result.config["seed"] == 0


def test_a_run_that_is_there_twice_counts_once_and_the_further_one(tmp_path):
    """README's commands leave mnist_ef_sign, and methods/ef_sign-seed0 beside it."""
    leave(tmp_path / "methods/ef_sign-seed0", seed=0, ended=False)
    leave(tmp_path / "methods/ef_sign-seed1", seed=1)
    leave(tmp_path / "mnist_ef_sign", seed=0, losses=(1.0, 0.25))
    found = results.read(tmp_path)
    (group,) = grouping.grouped(found)
    assert [run.name for run in group.results] == [
        "mnist_ef_sign",
        "methods/ef_sign-seed1",
    ]
    assert grouping.repeats(found) == {"methods/ef_sign-seed0": "mnist_ef_sign"}


@pytest.mark.parametrize(
    "names, shared",
    [
        (["laq-seed0", "laq-seed1"], "laq"),
        (["laq-seed1", "laq-seed10"], "laq"),
        (["laq1", "laq2"], "laq"),
        (["methods/ef_sign-seed0", "mnist_ef_sign"], "methods/ef_sign-seed0"),
        (["a/b-seed0-x", "a/b-seed1-x"], "a/b"),
    ],
)
def test_a_group_has_a_name_that_ends_where_a_word_does(names, shared, tmp_path):
    for seed, name in enumerate(names):
        leave(tmp_path / name, seed=seed)
    (group,) = grouping.grouped(results.read(tmp_path))
    assert group.name == shared


def test_a_run_without_a_line_is_left_out(tmp_path):
    for name in ("begun", "broken"):
        leave(tmp_path / name, losses=(), accuracies=())
    (tmp_path / "broken/failure.txt").write_text("Traceback ...")
    (tmp_path / "begun/metrics.jsonl").write_text('{"round": 10, "tra')
    assert results.read(tmp_path) == []
    assert results.without_a_line(tmp_path) == {
        "begun": "not begun",
        "broken": "failed",
    }


def test_a_line_that_is_being_written_is_none_yet(tmp_path):
    leave(tmp_path / "run", ended=False)
    with (tmp_path / "run/metrics.jsonl").open("a") as log:
        log.write('{"round": 30, "train_')
    (result,) = results.read(tmp_path)
    assert result.rows[-1]["round"] == 20


@pytest.mark.parametrize("text", ["[}\n", "[1]\n", "{}\n"])
@pytest.mark.parametrize("file", ["config.json", "metrics.jsonl", "summary.json"])
def test_damaged_files_leave_out_their_run_alone(file, text, tmp_path, capsys):
    for name in ("a", "b"):
        leave(tmp_path / name, seed=len(name))
    (tmp_path / "a" / file).write_text(text)
    if (file, text) == ("summary.json", "{}\n"):  # that of a run which goes on
        assert results.read(tmp_path)[0].mark == "unfinished"
        return
    assert [result.name for result in results.read(tmp_path)] == ["b"]
    assert f"{tmp_path / 'a'} is left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "file, content",
    [
        ("summary.json", b""),
        ("summary.json", b"\xff\xfe"),
        ("summary.json", b'{"round": "20", "stopped": ""}'),
        ("summary.json", b'{"round": 20, "stopped": ""}'),  # no versions, no data
        ("summary.json", b"[" * 100_000),
        ("config.json", b"[" * 100_000),
        ("config.json", b'{"rounds": 20, "x": "\\ud800"}'),  # which no file can hold
        ("config.json", b'{"rounds": 20, "seed": "x"}'),
        ("metrics.jsonl", b"\xff\xfe\x00\n"),
        ("metrics.jsonl", b'{"round": 20}\n'),
        ("metrics.jsonl", b"NaN\n"),
    ],
)
def test_a_damaged_file_is_its_own_run_s_misfortune(file, content, tmp_path, capsys):
    for name in ("a", "b"):
        leave(tmp_path / name, seed=ord(name))
    (tmp_path / "a" / file).write_bytes(content)
    found = results.read(tmp_path)
    assert [result.name for result in found] == ["b"]
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path / 'a'} is left out: {file}")
    assert grouping.left_out(tmp_path, found) == {"a": "damaged"}
    groups = grouping.grouped(found)
    columns = usual(groups, {"test_accuracy": [0.9]})
    assert page.html(page.Report("title", groups, columns))


@pytest.mark.parametrize(
    "key, value",
    [
        ("train_loss", "0.5"), ("uploads", None), ("uploads", 1.5), ("round", True),
        ("uplink_bits", 10**400), ("test_accuracy", float("nan")), ("seconds", "1 s"),
        ("joules", []),
    ],
)  # fmt: skip
def test_a_line_with_a_value_that_is_none_leaves_out_its_run(
    key, value, tmp_path, capsys
):
    leave(tmp_path / "a")
    path = tmp_path / "a/metrics.jsonl"
    rows = [json.loads(line) | {key: value} for line in path.open()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert results.read(tmp_path) == []
    assert f"metrics.jsonl: line 1: {key} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "key, value",
    [
        ("versions", []), ("data", {}), ("data", {"classes": 0}), ("partition", {}),
        ("bits", {"uplink": 3}), ("bits", {"uplink": {"payload/32": "x"}}),
        ("about", []), ("stopped", None), ("wall_seconds", "1"), ("earlier", 3),
        ("metrics", {}), ("metrics", ["x"]), ("metrics", {"x": "better"}),
        ("clients", []), ("clients", {"metric": "accuracy"}),
    ],
)  # fmt: skip
def test_a_strange_summary_leaves_out_its_run(key, value, tmp_path, capsys):
    leave(tmp_path / "a")
    path = tmp_path / "a/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert results.read(tmp_path) == []
    assert "a is left out: summary.json" in capsys.readouterr().out


def test_a_folder_whose_name_is_no_utf_8_can_be_told(tmp_path):
    leave(pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")))
    (found,) = results.read(tmp_path)
    assert found.name == r"\xff"


@pytest.mark.parametrize(
    "run, mark",
    [
        ({}, ""),
        ({"losses": (1.0, None)}, "diverged"),
        ({"losses": (300.0, 200.0)}, "diverged"),
        ({"losses": (2.31, 2.303)}, "stuck"),  # log 10 = 2.3026
        ({"ended": False}, "unfinished"),
        ({"losses": (1.0, None), "ended": False}, "diverged"),
        ({"rounds": 40}, "unfinished"),  # prolonged after 20
    ],
)
def test_what_is_no_result_is_marked(run, mark, tmp_path):
    leave(tmp_path / "run", **run)
    (result,) = results.read(tmp_path)
    assert result.mark == mark


def test_a_prolonged_run_has_ended_when_its_last_line_is_the_summarys(tmp_path):
    leave(tmp_path / "run")
    path = tmp_path / "run/summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"round": 10}))
    assert results.read(tmp_path)[0].mark == "unfinished"
    stopped = {"round": 20, "stopped": "residual 1e-06 reached"}
    path.write_text(json.dumps(json.loads(path.read_text()) | stopped))
    assert results.read(tmp_path)[0].mark == ""


def test_a_run_that_ended_in_an_error_has_failed(tmp_path):
    leave(tmp_path / "run", ended=False)
    (tmp_path / "run/failure.txt").write_text("Traceback ...")
    assert results.read(tmp_path)[0].mark == "failed"


def test_of_one_class_there_is_no_chance(tmp_path):
    leave(tmp_path / "run", losses=(0.5, 0.1))
    path = tmp_path / "run/summary.json"
    one = json.loads(path.read_text()) | {"data": {"classes": 1}}
    path.write_text(json.dumps(one))
    assert results.read(tmp_path)[0].mark == ""


def test_the_cost_of_an_accuracy_is_that_of_the_first_line_with_it(tmp_path):
    leave(tmp_path / "run", losses=(1, 1, 1), accuracies=(0.5, 0.9, 0.95))
    (result,) = results.read(tmp_path)
    assert results.cost_to(result, 0.9, "round") == 20
    assert results.cost_to(result, 0.5, "uplink_bits") == 1000
    assert results.cost_to(result, 0.9, "bits") == 2001  # 2000 up, 1 down
    assert results.cost_to(result, 0.96, "round") is None


def test_a_run_without_a_train_loss_says_at_its_end_that_it_diverged(tmp_path, capsys):
    """A line without one is damaged where the config promises it."""
    for name, share, stopped in (
        ("a", 0.0, "diverged: the model is not finite"), ("b", 0.0, ""), ("c", 0.5, ""),
        ("d", "all", ""),
    ):  # fmt: skip
        leave(tmp_path / name, about=name, log={"train_loss": share})
        path, end = tmp_path / name / "metrics.jsonl", tmp_path / name / "summary.json"
        path.write_text(path.read_text().replace('"train_loss"', '"lost"'))
        end.write_text(json.dumps(json.loads(end.read_text()) | {"stopped": stopped}))
    found = results.read(tmp_path)
    assert [(run.name, run.mark) for run in found] == [("a", "diverged"), ("b", "")]
    told = capsys.readouterr().out
    assert "c is left out: metrics.jsonl: line 1: train_loss is missing" in told
    assert "d is left out: config.json: log.train_loss" in told
