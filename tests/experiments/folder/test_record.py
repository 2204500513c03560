"""A run's folder from where it has the run to its end."""

import json

import pytest

from configs import default
from experiments.assembly import build
from experiments.assembly.device_loop import Progress
from experiments.folder import record
from experiments.reading import studies
from flq_jax import data

ROW = {
    "round": 2, "train_loss": None, "test_accuracy": 0.1, "uploads": 4,
    "uplink_bits": 10, "downlink_bits": 20, "diverged_clients": 0, "overloads": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def built():
    """A config of six rounds, its data, its run."""
    config, dataset = default.get_config(), data.synthetic(train=100, test=10)
    config.clients, config.client.batch, config.rounds = 2, 20, 6
    config.data.name = "synthetic"
    return config, dataset, build.build(config, dataset)


@pytest.fixture
def opened(built, tmp_path, monkeypatch):
    """Progress -> the record of a run that stands there."""
    config, dataset, run = built

    def at(rounds, stopped=""):
        progress = Progress(rounds, run.state, stopped=stopped)
        rows = [ROW | {"round": rounds}]
        monkeypatch.setattr(record, "resumed", lambda *_: (progress, rows, 1.0))
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
