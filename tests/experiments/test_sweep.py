"""Many runs by one command: skipped, resumed, and never stopped by one that fails."""

import json
import pathlib
import subprocess
import sys

import pytest

from configs import default
from experiments import sweep, train
from flq_jax import data

ROOT = pathlib.Path(__file__).parent.parent.parent
SWEEP = '''"""Does a seed matter?"""

from configs import default


def get_config():
    return default.get_config()


def sweep():
    runs = {}
    for seed in (0, 1):
        config = get_config()
        config.seed, config.data.name, config.client.batch = seed, "synthetic", 20
        runs[f"sgd-seed{seed}"] = config
    return runs
'''


def quick(**options):
    config = default.get_config()
    config.data.name, config.rounds = "synthetic", 10
    config.update_from_flattened_dict(options)
    return config


@pytest.fixture
def trained(monkeypatch):
    """Names of the runs that were trained; the one called "bad" fails."""
    names = []

    def fake(config, dataset, folder):
        names.append(folder.name)
        if folder.name == "bad":
            raise FloatingPointError("no")
        summary = {"stopped": "", "round": config.rounds}
        (folder / "summary.json").write_text(json.dumps(summary))

    monkeypatch.setattr(train, "train", fake)
    return names


def test_a_run_that_fails_stops_no_other_and_is_tried_again(trained, tmp_path):
    configs = {name: quick(seed=i) for i, name in enumerate(["a", "bad", "c"])}
    runs = sweep.prepared(configs, tmp_path)
    assert sweep.run_all(runs) == ["bad"]
    assert trained == ["a", "bad", "c"]
    assert "FloatingPointError: no" in (tmp_path / "bad/failure.txt").read_text()
    assert sweep.run_all(runs) == ["bad"]
    assert trained == ["a", "bad", "c", "bad"]


def test_a_finished_run_that_is_prolonged_goes_on(trained, tmp_path):
    for rounds in (10, 10, 20):
        configs = {name: quick(rounds=rounds) for name in ("a", "b")}
        sweep.run_all(sweep.prepared(configs, tmp_path))
    assert trained == ["a", "b", "a", "b"]


def test_a_signal_stops_all(monkeypatch, tmp_path):
    def interrupted(config, dataset, folder):
        raise train.Interrupted("SIGINT", 3)

    monkeypatch.setattr(train, "train", interrupted)
    runs = sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    with pytest.raises(train.Interrupted, match="SIGINT: stopped after round 3"):
        sweep.run_all(runs)


def test_the_data_are_read_once(monkeypatch, tmp_path):
    names = []

    def load(*where):
        names.append(where)
        return data.load(*where)

    monkeypatch.setattr(sweep, "load", load)
    sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    assert names == [("synthetic", "")]


def test_the_command_runs_a_sweep_and_skips_it_the_next_time(tmp_path):
    (tmp_path / "seeds.py").write_text(SWEEP)
    args = [
        *(sys.executable, "-m", "experiments.main", f"--config={tmp_path}/seeds.py"),
        *(f"--workdir={tmp_path}/runs", "--config.rounds=6", "--config.log.every=3"),
        "--config.log.checkpoint_every=3",
    ]
    outputs = [
        subprocess.run(
            args, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert "sgd-seed1 (2 of 2)" in outputs[0] and "sgd × 2" in outputs[0]
    assert "(1 of 2)" not in outputs[1] and "sgd × 2" in outputs[1]
    for seed in (0, 1):
        summary = json.loads(
            (tmp_path / f"runs/sgd-seed{seed}/summary.json").read_text()
        )
        assert summary["round"] == 6 and summary["about"] == "Does a seed matter?"


@pytest.mark.parametrize(
    "text, message",
    [
        (SWEEP.replace("return runs", "return [1]"), "must return name -> ConfigDict"),
        (SWEEP.replace("sgd-seed", "../seed"), "a run's name must be letters"),
        (SWEEP.replace("= seed,", "= -1,"), "config.seed: must be an integer in 0"),
    ],
)
def test_a_sweep_that_is_none_is_one_line(text, message, tmp_path):
    (tmp_path / "seeds.py").write_text(text)
    args = [sys.executable, "-m", "experiments.main", f"--config={tmp_path}/seeds.py"]
    args.append(f"--workdir={tmp_path}/runs")
    found = subprocess.run(args, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 2 and message in found.stderr
    assert found.stderr.count("error: ") == 1 and not (tmp_path / "runs").exists()
