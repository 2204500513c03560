"""A run's folder from where it has the run to its end."""

import errno
import json

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly import build
from flq_jax.experiments.folder import record
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import figures, studies
from flq_jax.simulation.progress import Progress

ROW = {
    "round": 2, "train_loss": None, "test_accuracy": 0.1, "uploads": 4,
    "uplink_bits": 10, "downlink_bits": 20, "diverged_clients": 0, "overloads": 0,
}  # fmt: skip
ORIGIN = {
    "about": "", "command": "python", "source": "a", "versions": {}, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def built():
    """A config of six rounds, its data, its run."""
    config, dataset = default.get_config(), data.synthetic(train=100, test=10)
    config.clients, config.rounds, config.client = 2, 6, "gradient(batch=20)"
    config.data = "synthetic()"
    return config, dataset, build.build(config, dataset)


@pytest.fixture
def opened(built, tmp_path, monkeypatch):
    """Progress -> the record of a run that stands there."""
    config, dataset, run = built

    def at(rounds, stopped=""):
        progress = Progress(rounds, run.state, stopped=stopped)
        rows = [ROW | {"round": rounds}]
        found = progress, rows, 1.0, ORIGIN
        monkeypatch.setattr(record, "resumed", lambda *_: found)
        return record.Record(record.Job("", config, dataset, tmp_path), run)

    return at


def test_the_study_repeats_the_rounds_that_were_done(opened, tmp_path, monkeypatch):
    """Two of six, where the run stopped; the summary comes last: all is done."""
    seen = []

    def write(config, dataset, folder, num_rounds):
        assert not (tmp_path / "summary.json").exists()
        seen.append(num_rounds)

    monkeypatch.setattr(studies, "write", write)
    opened(2, "diverged: the loss is not finite").finish()
    assert seen == [2]
    assert json.loads((tmp_path / "summary.json").read_text())["round"] == 2


@pytest.mark.parametrize(
    "rounds, stopped, stays", [(2, "", False), (6, "", True), (2, "diverged", True)]
)
def test_the_summary_of_a_run_that_goes_on_is_removed(rounds, stopped, stays, opened):
    """Killed, it would pass for finished."""
    summary = opened(rounds, stopped).job.folder / "summary.json"
    summary.write_text("{}")
    opened(rounds, stopped)
    assert summary.exists() == stays


def test_a_finished_run_keeps_the_versions_and_command_that_it_had(opened, monkeypatch):
    monkeypatch.setattr(figures, "curves", lambda *_: None)
    first = opened(6)
    first.finish()
    path = first.job.folder / "summary.json"
    before = path.read_bytes()
    monkeypatch.setitem(ORIGIN, "command", "python of another day")
    again = opened(6)
    again.finish()
    assert path.read_bytes() == before
    assert (
        again.summary() == json.loads(before) and again.summary()["command"] == "python"
    )


@pytest.mark.parametrize("damage", ["", "[1]", '{"round": 6}', "\ud800", None])
def test_a_damaged_summary_is_written_anew(damage, opened, monkeypatch):
    monkeypatch.setattr(figures, "curves", lambda *_: None)
    first = opened(6)
    first.finish()
    path = first.job.folder / "summary.json"
    before = path.read_bytes()
    path.unlink() if damage is None else path.write_bytes(
        damage.encode("utf-16", "surrogatepass")
    )
    opened(6).finish()
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", [(figures, "curves"), (studies, "write")])
def test_what_is_drawn_does_not_stand_before_the_summary(
    what, opened, monkeypatch, capsys
):
    def fails(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*what, fails)
    run = opened(6)
    run.finish()
    assert json.loads((run.job.folder / "summary.json").read_text())["round"] == 6
    (line,) = capsys.readouterr().out.splitlines()
    assert "left out, OSError(28, 'No space left on device')" in line


@pytest.mark.parametrize("rounds, source", [(6, "a"), (2, "b")])
def test_who_computes_the_last_round_is_the_origin(
    rounds, source, built, tmp_path, monkeypatch
):
    config, dataset, run = built
    monkeypatch.setattr(record, "provenance", lambda: ORIGIN | {"source": "b"})
    kept = record.note(Progress(rounds, run.state), [ROW], 1.0) | {"provenance": ORIGIN}
    job = record.Job("", config, dataset, tmp_path)
    *_, origin = record.resumed(job, run, Kept(run, kept))
    assert origin["source"] == source and ("earlier" in origin) == (source == "b")


class Kept:
    """A checkpoint of round 2 with this note."""

    def __init__(self, run, note):
        self.found = 2, run.state, note

    def restore(self, like):
        return self.found


def test_a_checkpoint_of_other_examples_or_of_another_version_is_refused(
    built, tmp_path
):
    config, dataset, run = built
    job = record.Job("", config, dataset, tmp_path)
    kept = record.note(Progress(2, run.state), [ROW], 1.0)
    progress, rows, _, origin = record.resumed(job, run, Kept(run, kept))
    assert (progress.rounds, rows) == (2, [ROW])
    assert [before["source"] for before in origin["earlier"]] == ["not recorded"]
    with pytest.raises(ConfigError, match="SHA-256 0123456789ab..., got"):
        other = kept | {"data_sha256": "0123456789abcdef"}
        record.resumed(job, run, Kept(run, other))
    kept["progress"]["luck"] = 7
    with pytest.raises(ConfigError, match="are another version's, which counted luck"):
        record.resumed(job, run, Kept(run, kept))
