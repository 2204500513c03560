"""The metrics files: a line at once on disk, and no line twice."""

import csv
import json
import pathlib

import pytest

from flq_jax.experiments.folder.metrics import MetricsLog
from flq_jax.experiments.process.whole_files import replacing, write_json

ROWS = [{"round": 1, "train_loss": 0.5}, {"round": 2, "train_loss": None}]


def test_every_line_is_on_disk_as_it_is_written(tmp_path):
    log = MetricsLog(tmp_path)
    for i, row in enumerate(ROWS):
        log.write(row)
        lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == ROWS[: i + 1]
    read = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert read == [
        {"round": "1", "train_loss": "0.5"},
        {"round": "2", "train_loss": ""},
    ]


def test_lines_after_the_checkpoint_are_cut_off(tmp_path):
    log = MetricsLog(tmp_path)
    for row in ROWS:
        log.write(row)
    resumed = MetricsLog(tmp_path, ROWS[:1])
    resumed.write({"round": 2, "train_loss": 0.25})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["train_loss"] for line in lines] == [0.5, 0.25]
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 3


def test_resuming_replaces_each_file_once_and_whole(tmp_path, monkeypatch):
    """Whoever is killed on the way leaves the old file or the new one."""
    log, names = MetricsLog(tmp_path), ("metrics.jsonl", "metrics.csv")
    for row in ROWS:
        log.write(row)
    before = [(tmp_path / name).read_bytes() for name in names]
    seen, replace = [], pathlib.Path.replace

    def watched(path, target):
        seen.append((target.name, path.read_bytes()))
        return replace(path, target)

    monkeypatch.setattr(pathlib.Path, "replace", watched)
    assert MetricsLog(tmp_path, ROWS).rows == ROWS
    assert seen == list(zip(names, before))
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_a_line_with_other_keys_is_refused(tmp_path):
    log = MetricsLog(tmp_path)
    log.write(ROWS[0])
    with pytest.raises(ValueError, match="keys must be .*joules"):
        log.write({"round": 2, "train_loss": 0.1, "joules": 3.0})
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_file_that_is_broken_off_is_the_old_one(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a") as file:
        file.write(b"half of the n")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_json_is_replaced_whole(tmp_path):
    for value in ({"a": 1}, {"a": [2, None]}):
        write_json(tmp_path / "x.json", value)
        assert json.loads((tmp_path / "x.json").read_text()) == value
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
