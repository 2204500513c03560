"""Two real processes over loopback are one simulation."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import mnist_flq_binary
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.engine.agreement import require_clients_for_each
from flq_jax.experiments.process import meeting, peers, signals
from flq_jax.experiments.process.errors import ConfigError

ROOT = pathlib.Path(__file__).parents[3]


def start(workdir, *extra):
    """LAG: clients remember, and no rounding makes much of the last bit of a sum."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "experiments.main",
            "--config=configs/mnist_lag.py", "--config.stop.residual=0", f"--workdir={workdir}",
            "--config.step=0.001 * clients",
            "--config.data=synthetic()", "--config.client=gradient(batch=20)",
            "--config.log.every=5", "--config.log.checkpoint_every=10", *extra,
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def free_port():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


def start_two(workdir, *extra):
    flags = f"--coordinator=localhost:{free_port()}", "--processes=2"
    return [start(workdir, *flags, f"--process={i}", *extra) for i in range(2)]


def finish(process):
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return output


def rows(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").open()]


def assert_same(some, others):
    """The same exact counts, and the same losses but for the order of one sum."""
    for one, two in zip(some, others, strict=True):
        assert one.pop("train_loss") == pytest.approx(two.pop("train_loss"), rel=1e-5)
        assert one == two


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run of one process."""
    workdir = tmp_path_factory.mktemp("alone")
    finish(start(workdir, "--config.rounds=40"))
    return workdir


@pytest.mark.more
def test_two_processes_are_one_and_either_goes_on_from_the_other(alone, tmp_path):
    shutil.copytree(alone / "checkpoints/20", tmp_path / "checkpoints/20")
    outputs = [finish(p) for p in start_two(tmp_path, "--config.rounds=30")]
    assert "resuming after round 20" in outputs[0]
    assert "test accuracy" in outputs[0] and "accuracy" not in outputs[1]
    assert "resuming after round 30" in finish(start(tmp_path, "--config.rounds=40"))
    assert_same(rows(tmp_path), rows(alone))


@pytest.mark.more
@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.repro), 1])
def test_when_one_is_killed_the_other_ends_and_the_run_goes_on(victim, alone, tmp_path):
    processes = start_two(tmp_path, "--config.rounds=200")
    deadline = time.monotonic() + 120
    while not (tmp_path / "checkpoints/20").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    processes[victim].kill()
    _, errors = processes[1 - victim].communicate(timeout=60)
    assert processes[1 - victim].returncode not in (0, None)
    assert "cannot go on" in errors or "another task died" in errors
    processes[victim].communicate()
    assert not (tmp_path / "summary.json").exists()
    assert "resuming after round" in finish(start(tmp_path, "--config.rounds=200"))
    assert rows(tmp_path)[-1]["round"] == 200
    assert_same(rows(tmp_path)[:8], rows(alone))


def test_two_that_were_started_differently_end_in_one_line(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = f"--coordinator=localhost:{port}", "--processes=2", "--config.rounds=30"
    processes = [
        start(tmp_path, *flags, f"--process={i}", f"--config.seed={i}")
        for i in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        told = [line for line in errors.splitlines() if line.startswith("error: ")]
        assert process.returncode == 2 and len(told) == 1
        assert "alike, got config.seed 0 in process 0, 1 in process 1" in told[0]
    assert not (tmp_path / "metrics.jsonl").exists()


def test_a_process_holds_no_more_than_its_clients():
    """Where the devices are this process's, that is everything, and in the same order."""
    config = mnist_flq_binary.get_config()
    config.clients = 16
    # A light round would stay on one device.
    config.client = "local_epochs(optimizer=optax.sgd(0.1), batch=4, epochs=1)"
    dataset = data.synthetic(train=64, test=4)
    run = build(config, dataset)
    assert run.mesh.size == 8
    inputs = dataset.train_inputs.reshape(8, 2, 4, 28, 28)
    for shard in run.data.inputs.addressable_shards:
        np.testing.assert_array_equal(shard.data, inputs[shard.device.id])
    memory = run.state.server_memory
    assert {part.data.shape for part in memory.addressable_shards} == {(2, 7850)}


def test_one_process_agrees_with_itself():
    assert peers.first_of_us() and jax.process_count() == 1
    assert peers.any_of_us(True) and not peers.any_of_us(False)
    assert peers.told_by_all("a b\u00fc") == ["a b\u00fc"]
    assert peers.signal_to_any("SIGTERM") == "SIGTERM" and not peers.signal_to_any("")


def test_one_of_several_cannot_watch_a_client(monkeypatch):
    peers.require_alone("log.study", "levels")
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"config\.log\.study: must be none with"):
        peers.require_alone("log.study", "levels")


def test_clients_that_leave_a_process_without_any_are_refused(monkeypatch):
    config = mnist_flq_binary.get_config()
    require_clients_for_each(config)
    monkeypatch.setattr(jax, "process_count", lambda: 2)  # the devices are of one
    with pytest.raises(ConfigError, match=r"config\.clients: must be .* got 10"):
        require_clients_for_each(config)


def test_loopback_is_all_that_the_coordinator_listens_at(monkeypatch):
    """JAX's own default is every interface."""
    given = {}
    monkeypatch.setattr(jax.distributed, "initialize", given.update)
    peers.join(f"localhost:{free_port()}", 1, 0)
    assert given["coordinator_bind_address"].startswith(("127.0.0.1:", "[::1]:"))
    assert (given["num_processes"], given["process_id"]) == (1, 0)


def test_a_join_that_hangs_ends_in_time_and_lets_signals_through(monkeypatch):
    forever = threading.Event().wait
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: forever())
    monkeypatch.setattr(meeting, "WAIT_S", 0.3)
    with pytest.raises(ConfigError, match=r"auto: they are not all there after 0\.3 s"):
        peers.join("auto", 1, 0)
    monkeypatch.setattr(meeting, "WAIT_S", 60)
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(SystemExit) as ended, signals.ending("python -m a"):
        peers.join("auto", 1, 0)
    assert ended.value.code == 128 + signal.SIGTERM


def test_a_signal_ends_the_wait_for_the_others(capsys):
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(SystemExit), signals.ending("python -m a"):
        peers.join(f"localhost:{free_port()}", 2, 0)
    assert "SIGTERM: stopped" in capsys.readouterr().out


def test_what_cannot_be_joined_is_one_line():
    jax.devices()  # too late for several processes
    port = free_port()
    with pytest.raises(
        ConfigError, match=f"--coordinator=localhost:{port}: jax.distributed"
    ):
        peers.join(f"localhost:{port}", 1, 0)
