"""What commands that read say where they can't write."""

import errno
import json
import os

import pytest
from absl import flags
from absl.testing import flagsaver

from flq_jax.experiments import report, table1
from flq_jax.experiments.options import command_line
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import publish, results
from flq_jax.experiments.reading.results import Result


def leave(folder, options):
    """A run that has not ended."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"rounds": 4} | options))
    row = {"train_loss": 1.0, "uploads": 1, "uplink_bits": 8, "downlink_bits": 9}
    lines = [json.dumps({"round": k, **row, "test_accuracy": 0.5}) for k in (1, 2)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")


@pytest.fixture
def parsed():
    """Flags as they are without a command line."""
    before = flags.FLAGS.is_parsed()
    with flagsaver.flagsaver():
        flags.FLAGS.mark_as_parsed()
        yield
    if not before:
        flags.FLAGS.unparse_flags()


@pytest.mark.usefixtures("parsed")
@pytest.mark.parametrize("command", [report, table1])
def test_a_full_disk_is_one_line(command, monkeypatch, capsys, tmp_path):
    def full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    monkeypatch.setattr(command_line, "workdir", lambda: tmp_path)
    monkeypatch.setattr(results, "read", full)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1
    assert "No space left on device" in said and str(tmp_path) in said


def run_of(name, group):
    return Result(name, {"seed": int(name[-1]), "group": group}, [{"round": 1}], {})


def test_runs_are_chosen_by_their_own_name_or_their_group_s():
    runs = [run_of("laq-seed0", "laq"), run_of("laq-seed1", "laq"), run_of("x-0", "x")]
    names = [run.name for run in report.matching(runs, ["laq"])]
    assert names == ["laq-seed0", "laq-seed1"]
    assert report.matching(runs, ["*-seed1", "x*"]) == runs[1:]
    assert report.matching(runs, []) == runs
    with pytest.raises(ConfigError, match="--runs: no run fits 'y'; there are laq, x"):
        report.matching(runs, ["laq", "y"])


def test_a_format_that_is_none_is_told():
    report.require_formats(publish.FORMATS)
    for wrong in (["tex", "doc"], []):
        with pytest.raises(ConfigError, match="--format: must be of html, md, tex"):
            report.require_formats(wrong)


@pytest.mark.usefixtures("parsed")
def test_every_format_is_written(tmp_path, monkeypatch, capsys):
    leave(tmp_path / "a", {"seed": 0})
    leave(tmp_path / "b", {"seed": 0, "bits": 1})
    flags.FLAGS["format"].value = ["md", "tex", "pdf", "svg", "csv"]
    monkeypatch.setattr(command_line, "workdir", lambda: tmp_path)
    monkeypatch.setattr(command_line, "refuse_all_but", lambda *_: None)
    report.main([])
    written = {path.name for path in tmp_path.iterdir() if path.is_file()}
    curves = {
        f"{figure}_by_{cost}.{form}"
        for figure in ("train_loss", "test_accuracy")
        for cost in ("rounds", "uplink_bits", "bits")
        for form in ("pdf", "svg")
    }
    assert written == curves | {"report.md", "report.tex", "report.csv", "curves.csv"}
    pdf = (tmp_path / "test_accuracy_by_bits.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf  # embedded as TrueType
    # 3.5 inches of 72 points
    assert b"/MediaBox [ 0 0 252 " in pdf
    assert capsys.readouterr().out.count("\n") >= len(written)
