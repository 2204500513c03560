"""The command as a user runs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from more import more
from running import ROOT, call, command, results

from flq_jax.configs import default
from flq_jax.experiments.options.names import flatten


def run(*args):
    return call(command(*args))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Runs that nobody disturbed, by config."""
    done = {}

    def get(name):
        if name not in done:
            workdir = tmp_path_factory.mktemp(name)
            finished = run(name, workdir, "--config.rounds=60")
            assert finished.returncode == 0, finished.stderr
            done[name] = workdir, finished.stdout
        return done[name]

    return get


def test_a_run_leaves_what_it_promises(unbroken):
    workdir, output = unbroken("mnist_slaq")
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").open()]
    assert [row["round"] for row in rows] == list(range(5, 61, 5))
    assert {
        "train_loss",
        "test_accuracy",
        "uploads",
        "uplink_bits",
        "downlink_bits",
    } <= (set(rows[0]))
    summary = json.loads((workdir / "summary.json").read_text())
    assert summary["uplink_bits"] == rows[-1]["uplink_bits"]
    assert summary["bits"]["uplink"]["payload/32"] == summary["uploads"] * (
        3 * 7850 + 32
    )
    assert len(summary["data"]["sha256"]) == 64 and summary["versions"]["jax"]
    assert (workdir / "config.json").exists()
    for name in ("rounds", "bits"):
        assert (workdir / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "test accuracy" in output


def seldom(*values):
    """Cases of the long run alone: each starts several processes."""
    return [pytest.param(value, marks=pytest.mark.repro) for value in values]


@pytest.mark.parametrize(
    "name", ["mnist_slaq", *seldom("mnist_flq_binary", "mnist_ef_sign")]
)
def test_killed_at_any_round_it_ends_as_though_it_had_not_been(
    name, unbroken, tmp_path
):
    process = subprocess.Popen(
        command(name, tmp_path, "--config.rounds=60"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("checkpoints/*0")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "summary.json").exists()
    finished = run(name, tmp_path, "--config.rounds=60")
    assert finished.returncode == 0, finished.stderr
    assert "resuming after round" in finished.stdout
    assert results(tmp_path) == results(unbroken(name)[0])


@pytest.mark.more
def test_the_same_seed_gives_the_same_run_with_tensorboard_files_on_request(
    unbroken, tmp_path
):
    options = "--config.rounds=60", "--config.log.tensorboard=true"
    finished = run("mnist_slaq", tmp_path, *options)
    assert finished.returncode == 0, finished.stderr
    assert results(tmp_path) == results(unbroken("mnist_slaq")[0])
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, more(signal.SIGUSR1), *seldom(signal.SIGINT, signal.SIGHUP)],
)
def test_a_signal_saves_and_says_how_to_go_on(number, tmp_path):
    process = subprocess.Popen(
        command("mnist_sgd", tmp_path, "--config.rounds=1000000"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoints").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "go on with: python -m experiments.main" in output
    assert "Traceback" not in errors
    rounds = [json.loads(line)["round"] for line in (tmp_path / "metrics.jsonl").open()]
    assert (tmp_path / f"checkpoints/{rounds[-1]}").is_dir()


@pytest.mark.more
def test_a_locale_that_is_not_utf_8_changes_no_file(tmp_path):
    """Python takes POSIX's for UTF-8 unless it is told not to."""
    ascii_only = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "c.py").write_text(
        '"""Größe × 2."""\nfrom flq_jax.configs.mnist_sgd import get_config\n',
        encoding="utf-8",
    )
    args = command("mnist_sgd", tmp_path / "run", "--config.rounds=5")
    args[3] = f"--config={tmp_path}/c.py"
    finished = call(args, env=os.environ | ascii_only)
    assert finished.returncode == 0, finished.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_bytes())
    assert summary["about"] == "Größe × 2."
    wrong = [*args, os.fsdecode(b"--workdir=\xff")]
    refused = call(wrong, env=os.environ | ascii_only)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "every argument must be text" in refused.stderr


@pytest.mark.parametrize("damage", ["flip", *seldom("truncate", "note")])
def test_a_broken_checkpoint_is_told_and_the_one_before_is_used(
    damage, unbroken, tmp_path
):
    name = "mnist_slaq"
    shutil.copytree(unbroken(name)[0], tmp_path, dirs_exist_ok=True)
    newest = tmp_path / "checkpoints/60"
    path = newest / "note/metadata"
    if damage != "note":
        path = max(newest.rglob("d/*"), key=lambda file: file.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content[: len(content) // 2] if damage == "truncate" else content)
    finished = run(name, tmp_path, "--config.rounds=60")
    assert finished.returncode == 0, finished.stderr
    assert "checkpoint of round 60 is broken and was set aside" in finished.stdout
    assert "Traceback" not in finished.stderr
    assert "resuming after round 50" in finished.stdout
    assert results(tmp_path) == results(unbroken(name)[0])


@pytest.mark.parametrize(
    "options, message",
    [
        (["--config.cel.blocks=3"], "did you mean --config.cell.blocks?"),
        (["--config.rounds=abc"], "invalid literal for int() with base 10: 'abc'"),
        (
            ["--config.uplink=direct(uniform(9))"],
            "config.uplink: uniform(9): bits must be an integer in",
        ),
        (["--config.uplink=direct(unifrm(8))"], "did you mean uniform?"),
        (["--config.step=-1"], "finite and above 0, got step_size=-1"),
        (
            ["--config.clients=2001"],
            "1..2000, the number of examples, got clients=2001",
        ),
        (["--config.data=mnist('/nowhere')"], "/nowhere/train"),
        (["--workdir=/proc/nowhere"], "--workdir: can't use /proc/nowhere"),
        (["--wrkdir=x"], "did you mean workdir?"),
        (["--config=configs/mnist_sgdd.py"], "did you mean configs/mnist_sgd.py?"),
    ],
)
def test_bad_input_is_one_line_before_any_work(options, message, tmp_path):
    finished = run("mnist_sgd", tmp_path / "run", *options)
    assert finished.returncode == 2
    assert message in finished.stderr
    lines = [
        line for line in finished.stderr.splitlines() if line.startswith("error: ")
    ]
    assert len(lines) == 1 and "Traceback" not in finished.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.repro
def test_a_run_moves_from_one_device_to_five(tmp_path, monkeypatch):
    """Innovations in floats, for a sum in another order could tip a rounding."""
    alone, moved = tmp_path / "alone", tmp_path / "moved"
    floats = "--config.uplink=innovation(identity())"
    run("mnist_sgd", alone, floats, "--config.rounds=60")
    run("mnist_sgd", moved, floats, "--config.rounds=30")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=5")
    finished = run("mnist_sgd", moved, floats, "--config.rounds=60")
    assert finished.returncode == 0, finished.stderr
    five, one = (
        json.loads((workdir / "summary.json").read_text()) for workdir in (moved, alone)
    )
    assert five["device"].endswith("x 5") and one["device"].endswith("x 1")
    assert five["train_loss"] == pytest.approx(one["train_loss"], rel=1e-5)


def test_a_workdir_of_another_config_is_refused(unbroken):
    workdir, _ = unbroken("mnist_slaq")
    finished = run("mnist_slaq", workdir, "--config.rounds=60", "--config.seed=3")
    assert finished.returncode == 2
    assert "config.seed: 0 there, 3 here" in finished.stderr


def test_help_lists_every_option_with_its_comment():
    finished = call([sys.executable, "-m", "experiments.main", "--config_help"])
    assert finished.returncode == 0
    assert "--config.cell.deadline_s=0.5" in finished.stdout
    assert "of a round, from the start of its broadcast" in finished.stdout
    for option in flatten(default.get_config()):
        assert f"--config.{option}=" in finished.stdout
