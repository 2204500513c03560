"""Processes that were started end with the one that started them."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from flq_jax.experiments.process import children

ROOT = pathlib.Path(__file__).parents[3]
# It ends in the midst of a round.
CHILD = """
import pathlib, time
from flq_jax.experiments.process import children, signals
with signals.ending("again"), signals.Interrupt() as asked:
    children.end_with_parent()
    print("watching", flush=True)
    while not asked.requested:
        time.sleep(0.01)
    time.sleep(0.3)
    pathlib.Path({0!r}).write_text("saved")
"""
PARENT = """
import sys, threading, time
from flq_jax.experiments.process import children
for _ in range(20):  # as a launcher has
    threading.Thread(target=time.sleep, args=[60], daemon=True).start()
children.start([sys.executable, "-c", {0!r}])
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own signal")
def test_a_child_saves_when_its_parent_is_killed(tmp_path):
    child = CHILD.format(str(tmp_path / "saved"))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(child)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert parent.stdout.readline() == b"watching\n"
    parent.kill()
    assert parent.stdout.read() == b""  # until the child, which holds it too, has ended
    parent.wait()
    assert (tmp_path / "saved").read_text() == "saved"


@pytest.mark.skipif(sys.platform != "linux", reason="the system's own signal")
def test_a_run_whose_parent_was_gone_before_it_looked_ends(tmp_path):
    args = [
        sys.executable, "-m", "experiments.main", "--config=configs/mnist_sgd.py",
        f"--workdir={tmp_path / 'run'}",
    ]  # fmt: skip
    done = subprocess.run(
        args,
        cwd=ROOT,
        env=os.environ | {children.PARENT: str(os.getppid())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 128 + children.ENDED, done.stderr
    assert "go on with: python -m experiments.main" in done.stdout
    assert not (tmp_path / "run").exists()


def test_what_is_set_for_a_child_is_not_left_to_us(monkeypatch):
    monkeypatch.setenv(children.PARENT, "")
    cores = children.cores_here()
    child = children.start(
        [sys.executable, "-c", ""], cores[:1], deaf_to=[signal.SIGUSR1]
    )
    assert child.wait() == 0
    assert children.cores_here() == cores
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("parent", ["", "launcher", "1.5"])
def test_what_is_no_process_is_no_parent(parent, monkeypatch):
    monkeypatch.setenv(children.PARENT, parent)
    children.end_with_parent()
    assert children.PARENT not in os.environ
