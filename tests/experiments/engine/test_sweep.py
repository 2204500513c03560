"""Many runs by one command: skipped, resumed, and never stopped by one that fails."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from running import sweep_of_seeds

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly import setting
from flq_jax.experiments.engine import host_loop, sweep
from flq_jax.experiments.folder import claim
from flq_jax.experiments.folder.record import Record
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.process.signals import Interrupted

ROOT = pathlib.Path(__file__).parents[3]
SWEEP = sweep_of_seeds("Does a seed matter?", "sgd-seed")


def quick(**options):
    config = default.get_config()
    config.data, config.rounds = "synthetic(seed=0)", 10
    config.update_from_flattened_dict(options)
    return config


@pytest.fixture
def trained(monkeypatch):
    """Names of the runs that were trained; the one called "bad" fails."""
    names = []

    def fake(jobs, too_late):
        folders = [job.folder for job in jobs]
        names.append("+".join(folder.name for folder in folders))
        if "bad" in [folder.name for folder in folders]:
            raise FloatingPointError("no")
        for job in jobs:
            summary = {"stopped": "", "round": job.config.rounds}
            (job.folder / "summary.json").write_text(json.dumps(summary))

    monkeypatch.setattr(host_loop, "train_together", fake)
    return names


def test_a_run_that_fails_stops_no_other_and_is_tried_again(trained, tmp_path):
    configs = {name: quick(seed=i) for i, name in enumerate(["a", "bad", "c"])}
    runs = sweep.prepared(configs, tmp_path)
    assert sweep.run_all(runs) == ["bad"]
    assert trained == ["a+bad+c", "a", "bad", "c"]
    assert "FloatingPointError: no" in (tmp_path / "bad/failure.txt").read_text()
    assert not (tmp_path / "a/failure.txt").exists()
    assert sweep.run_all(runs) == ["bad"]
    assert trained[4:] == ["bad"]


def test_one_run_of_a_sweep_notes_its_failure_and_a_later_success(trained, tmp_path):
    """As a process of `experiments.launch` has it."""
    (run,) = sweep.prepared({"bad": quick()}, tmp_path)
    assert sweep.run_all([run]) == ["bad"]
    assert "FloatingPointError: no" in (run.folder / "failure.txt").read_text()
    (tmp_path / "bad").rename(tmp_path / "good")
    (run,) = sweep.prepared({"good": quick()}, tmp_path)
    assert sweep.run_all([run]) == [] and trained == ["bad", "good"]
    assert not (run.folder / "failure.txt").exists()


def test_a_run_of_another_process_is_left_to_it(trained, tmp_path, capsys):
    configs = {name: quick(seed=i) for i, name in enumerate("abc")}
    runs = sweep.prepared(configs, tmp_path)
    with claim.held(tmp_path / "b"):
        assert [run.name for run in sweep.prepared(configs, tmp_path)] == ["a", "c"]
        assert sweep.run_all(runs) == [] and trained == ["a+c"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[2] and lines[0].endswith("and left to it")
    assert f"{tmp_path}/b is in use by process {os.getpid()} on" in lines[0]


def test_runs_that_another_process_has_finished_meanwhile_are_not_run(
    trained, tmp_path, monkeypatch
):
    runs = sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    held = claim.held

    def late(folder):
        (folder / "summary.json").write_text('{"stopped": "", "round": 10}')
        return held(folder)

    monkeypatch.setattr(claim, "held", late)
    assert sweep.run_all(runs) == [] and trained == []


@pytest.mark.parametrize("name", ["", "b"])
def test_what_another_process_began_by_another_config_is_not_gone_on_with(
    name, trained, tmp_path
):
    """Both prepared the folder, and the other one was there first."""
    runs = sweep.prepared({name: quick()}, tmp_path)
    (other,) = sweep.prepared({name: quick(task="classification(l2=0.5)")}, tmp_path)
    (other.folder / "checkpoints/10").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds a run of another config .*l2=0.5"):
        sweep.run_all(runs)
    assert trained == []
    assert json.loads((other.folder / "config.json").read_text())["task"] == (
        "classification(l2=0.5)"
    )


def test_if_another_process_has_all_runs_it_ends_in_one_line(trained, tmp_path):
    (single,) = sweep.prepared({"": quick()}, tmp_path / "single")
    sweep.prepared({"a": quick()}, tmp_path)
    with claim.held(tmp_path / "a"), claim.held(single.folder):
        with pytest.raises(claim.InUse, match="--workdir: .*/a is in use by"):
            sweep.prepared({"a": quick(rounds=20)}, tmp_path)
        with pytest.raises(claim.InUse, match="--workdir: .*/single is in use by"):
            sweep.run_all([single])
    assert json.loads((tmp_path / "a/config.json").read_text())["rounds"] == 10
    assert trained == []


def test_the_table_at_the_end_reads_no_other_run(trained, tmp_path):
    """Another process may be in the midst of a line."""
    runs = sweep.prepared({"a": quick()}, tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text("{}")
    (tmp_path / "other/metrics.jsonl").write_text('{"round": 1, "train')
    assert sweep.run_all(runs) == []


def test_runs_that_are_alike_share_a_program_up_to_so_many(trained, tmp_path):
    configs = {
        f"{name}{seed}": quick(seed=seed, clients=clients)
        for seed in range(3)
        for name, clients in (("ten", 10), ("two", 2))
    }
    sweep.run_all(sweep.prepared(configs, tmp_path), most=2)
    assert trained == ["ten0+ten1", "ten2", "two0+two1", "two2"]


@pytest.mark.parametrize("text", ["", "[1]", '{"round": null}', '{"stopped": ""}', "{"])
def test_a_damaged_summary_is_its_own_run_s_misfortune(text, trained, tmp_path, capsys):
    runs = sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    assert sweep.run_all(runs) == []
    (tmp_path / "a/summary.json").write_text(text)
    assert sweep.run_all(runs) == [] and trained == ["a+b", "a"]
    assert f"{tmp_path}/a: summary.json: " in capsys.readouterr().out
    assert sweep.finished(runs[0])


def test_a_damaged_config_is_its_own_run_s_misfortune(trained, tmp_path, capsys):
    configs = {"a": quick(), "b": quick(seed=1)}
    sweep.prepared(configs, tmp_path)
    (tmp_path / "a/config.json").write_text("{")
    assert sweep.run_all(sweep.prepared(configs, tmp_path)) == ["a"]
    assert trained == ["b"]
    assert "a failed: --workdir: " in capsys.readouterr().out
    with pytest.raises(ConfigError, match="config.json is no config"):
        sweep.prepared({"": quick()}, tmp_path / "a")


def test_a_full_disk_ends_no_sweep(monkeypatch, tmp_path, capsys):
    """Neither where a run is held, nor where it writes, nor where its failure is noted."""
    configs = {name: quick(seed=i) for i, name in enumerate("abc")}
    runs, held = sweep.prepared(configs, tmp_path), claim.held

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        claim, "held", lambda folder: full() if folder.name == "b" else held(folder)
    )
    monkeypatch.setattr(host_loop, "train_together", full)
    monkeypatch.setattr(sweep, "replace", full)
    assert sweep.run_all(runs) == ["b", "a", "c"]
    lines = capsys.readouterr().out.splitlines()
    assert "b failed: --workdir: [Errno 28] No space left on device" in lines
    (line,) = [line for line in lines if line.startswith("c failed: ")]
    assert line.endswith("c/failure.txt can't be written: No space left on device")


def test_a_full_disk_is_one_line_of_a_single_run(monkeypatch, tmp_path):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(host_loop, "train", full)
    with pytest.raises(
        ConfigError, match="--workdir: .*: No space left on device; the"
    ):
        sweep.run_all(sweep.prepared({"": quick()}, tmp_path))


def test_examples_that_are_not_those_submitted_are_refused(tmp_path):
    configs = {"a": quick(), "b": quick(seed=1)}
    (run, _) = sweep.prepared(configs, tmp_path)
    digest = run.dataset.digest
    assert len(sweep.prepared(configs, tmp_path, {"a": digest, "b": digest})) == 2
    with pytest.raises(ConfigError, match="submitted, SHA-256 0{12}..., got [0-9a-f]+"):
        sweep.prepared(configs, tmp_path / "new", {"a": digest, "b": 64 * "0"})
    assert not (tmp_path / "new").exists()


def test_equal_configs_are_told(tmp_path, capsys):
    sweep.prepared({"a": quick(), "b": quick(), "c": quick(seed=1)}, tmp_path)
    assert capsys.readouterr().out.endswith("the same: a = b\n")


def test_a_finished_run_that_is_prolonged_goes_on(trained, tmp_path):
    for rounds in (10, 10, 20):
        configs = {name: quick(rounds=rounds) for name in ("a", "b")}
        sweep.run_all(sweep.prepared(configs, tmp_path))
    assert trained == ["a+b", "a+b"]


def test_a_signal_stops_all(monkeypatch, tmp_path):
    def interrupted(jobs, too_late):
        raise Interrupted("SIGINT", 3)

    monkeypatch.setattr(host_loop, "train_together", interrupted)
    runs = sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    with pytest.raises(Interrupted, match="SIGINT: stopped after round 3"):
        sweep.run_all(runs)


@pytest.mark.parametrize("names, goes_on", [("ab", False), ("a", True)])
def test_a_signal_at_a_run_s_end_begins_no_other(names, goes_on, monkeypatch, tmp_path):
    """SIGTERM while the last round of the first run is written down."""
    add, began = Record.add, []

    def signalled(record, *figures):
        began.append(record.job.name)
        signal.raise_signal(signal.SIGTERM)
        add(record, *figures)

    monkeypatch.setattr(Record, "add", signalled)
    configs = {name: quick(seed=ord(name), rounds=5) for name in names}
    runs = sweep.prepared(configs, tmp_path)
    if goes_on:
        assert sweep.run_all(runs) == []
    else:
        with pytest.raises(Interrupted, match="SIGTERM: stopped between runs"):
            sweep.run_all(runs, most=1)
    assert began == ["a"] and (tmp_path / "a/summary.json").exists()


def test_the_data_are_read_once(monkeypatch, tmp_path):
    names = []

    def dataset_of(config):
        names.append(config.data)
        return setting.dataset_of(config)

    monkeypatch.setattr(sweep, "dataset_of", dataset_of)
    sweep.prepared({"a": quick(), "b": quick(seed=1)}, tmp_path)
    sweep.prepared({"c": quick(data="synthetic(0)")}, tmp_path)
    assert names == ["synthetic(seed=0)", "synthetic(0)"]


def test_data_that_ask_for_the_seed_are_each_seed_s_own(tmp_path):
    configs = {name: quick(seed=int(name), data="synthetic()") for name in "01"}
    one, other = sweep.prepared(configs, tmp_path)
    assert one.dataset.digest == data.synthetic(seed=0).digest
    assert other.dataset.digest == data.synthetic(seed=1).digest


@pytest.mark.parametrize(
    "split, match",
    [
        ("shards(shards_per_client=300)", "at most the 2000 examples"),
        ("dirichlet(alpha=0.1, min_size=300)", "got min_size=300 clients=10"),
    ],
)
def test_a_split_that_the_examples_do_not_allow_leaves_no_folder(
    split, match, tmp_path
):
    with pytest.raises(ConfigError, match=f"config.split: .*{match}") as error:
        sweep.prepared({"a": quick(split=split)}, tmp_path / "runs")
    assert "\n" not in str(error.value) and not (tmp_path / "runs").exists()


def test_a_model_without_numbers_for_its_parameters_leaves_no_folder(tmp_path):
    large = quick(model="MLP((2**20, 2**12))")
    with pytest.raises(
        ConfigError, match=r"config.model: MLP\(.*\) of 5,118,.* 2\*\*31"
    ):
        sweep.prepared({"a": quick(), "b": large}, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_model_that_takes_no_such_images_leaves_no_folder(tmp_path):
    configs = {"a": quick(), "b": quick(model="SVHNNet()")}
    with pytest.raises(ConfigError, match=r"config.model: SVHNNet\(\) must take"):
        sweep.prepared(configs, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_minibatch_that_no_client_has_leaves_no_folder(tmp_path):
    with pytest.raises(
        ConfigError, match="config.client: .* batch .*200 .*, got 1000000"
    ):
        sweep.prepared({"a": quick(client="gradient(batch=10**6)")}, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


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
    assert "sgd-seed0, sgd-seed1 (1-2 of 2)" in outputs[0] and "sgd × 2" in outputs[0]
    assert "of 2)" not in outputs[1] and "sgd × 2" in outputs[1]
    folders = [tmp_path / f"runs/sgd-seed{seed}" for seed in (0, 1)]
    for folder in folders:
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["round"] == 6 and summary["about"] == "Does a seed matter?"
    one, other = ((folder / "metrics.jsonl").read_text() for folder in folders)
    assert one != other  # it does


FROZEN = (
    "from ml_collections import FrozenConfigDict\n"
    "    return {name: FrozenConfigDict(one) for name, one in runs.items()}"
)


@pytest.mark.parametrize(
    "text, message",
    [
        (SWEEP.replace("return runs", "return [1]"), "must return name -> ConfigDict"),
        (SWEEP.replace("return runs", "return {}"), "-> ConfigDict, one or more"),
        (
            SWEEP.replace("return runs", FROZEN),
            "none of them frozen",
        ),
        (SWEEP.replace("sgd-seed", "../seed"), "a run's name must be letters"),
        (SWEEP.replace('f"sgd-seed{seed}"', "'..'[seed:]"), "no dot first, and none"),
        (SWEEP.replace("return runs", "return 1 / 0"), "sweep(): ZeroDivisionError"),
        (SWEEP.replace("return runs", "raise SystemExit(0)"), "sweep(): SystemExit: 0"),
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
