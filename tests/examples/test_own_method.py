"""A method of one's own beside the shipped ones, from the wheel and from an empty folder."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from installed import ROOT, call

OWN = ROOT / "examples" / "own_method"
SHIPPED = ("sgd", "ef_sign", "drive", "top_k", "slaq")
SHORT = (
    "--config.rounds=8",
    "--config.log.every=4",
    "--config.log.checkpoint_every=4",
)
NAMES = sorted(f"{q}-rate{r}" for q in ("ternary", "sign") for r in (0.03, 0.1, 0.3))
D = 2 * (25 * 8 + 8 + 2 * 8 + 392 * 10 + 10)  # the model's numbers and the control's
TENSORS = 2 * 6


@pytest.fixture
def own(monkeypatch):
    """Its modules by name, as its own scripts import them."""
    monkeypatch.syspath_prepend(str(OWN))
    with jax.numpy_rank_promotion("allow"):  # as a user has it
        import make_users
        import own_method
        import simulate

        yield {"own_method": own_method, "users": make_users, "simulate": simulate}
    for name in ("make_users", "own_method", "simulate"):
        del sys.modules[name]


def test_it_is_one_short_file():
    assert len((OWN / "own_method.py").read_text().splitlines()) <= 120
    assert len((OWN / "simulate.py").read_text().splitlines()) <= 40


@pytest.mark.more
def test_without_a_config_it_learns_and_counts(own, tmp_path, monkeypatch):
    """2 bits a number and 32 a tensor up from 20 users; 8 and 32 down, once a round."""
    monkeypatch.chdir(tmp_path)
    own["users"].main()
    sim = own["simulate"].simulation()
    (row,) = sim.run(rounds=10, every=10)
    assert row["uploads"] == 10 * 20
    assert row["uplink_bits"] == 10 * 20 * (2 * D + 32 * TENSORS)
    assert row["downlink_bits"] == 10 * (8 * D + 32 * TENSORS)
    assert row["test_accuracy"] > 0.3  # a guess is right once in ten


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Empty but for the example's files."""
    folder = tmp_path_factory.mktemp("user")
    for file in OWN.glob("*.py"):
        shutil.copy(file, folder)
    return folder


@pytest.fixture(scope="module")
def asked(site, folder):
    """A command of the wheel's in that folder -> what it printed."""

    def ask(*args, **more):
        done = call(
            [site / "bin" / "flq", *args],
            folder,
            PYTHONPATH=str(site),
            timeout=900,
            **more,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    call(["make_users.py"], folder, PYTHONPATH=str(site))
    assert (folder / "users.npz").is_file()
    return ask


def left(run: pathlib.Path):
    """A run's figures, and the digest of the state in which it ended."""
    note = json.loads((run / "checkpoints/8/note/metadata").read_text())
    return (run / "metrics.jsonl").read_bytes(), note["state_sha256"]


@pytest.fixture(scope="module")
def swept(asked, folder):
    """What the sweep said of its compilations, by when it is there."""
    run = "run", "--config=own_method.py", "--workdir=runs/own", *SHORT
    cache = {"JAX_ENABLE_COMPILATION_CACHE": "false", "JAX_LOG_COMPILES": "1"}
    return asked(*run, **cache).stderr


@pytest.mark.more
def test_six_runs_of_two_quantizers_are_two_programs(swept, folder):
    """Rates are numbers of a program; a quantizer is the program."""
    assert sorted(path.name for path in (folder / "runs/own").iterdir()) == NAMES
    assert swept.count("Finished XLA compilation of jit(rounds)") == 2
    ends = {left(folder / "runs/own" / name)[1] for name in NAMES}
    assert len(ends) == 6  # each rate is used


@pytest.mark.more
def test_killed_it_goes_on_bit_for_bit(swept, asked, site, folder):
    run = "run", "--config=own_method.py", "--workdir=runs/killed", *SHORT
    only = (f"--runs={','.join(name for name in NAMES if 'ternary' in name)}",)
    killed = folder / "runs/killed"
    process = subprocess.Popen(
        [sys.executable, str(site / "bin" / "flq"), *run, *only],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 900
    while not list(killed.glob("*/checkpoints/4")) and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.001)
    process.kill()
    assert process.wait() < 0
    assert not list(killed.glob("*/summary.json"))
    assert "resuming after round 4" in asked(*run, *only).stdout
    for path in killed.iterdir():
        assert left(path) == left(folder / "runs/own" / path.name)
    shutil.rmtree(killed)


@pytest.mark.more
def test_its_bytes_are_those_of_the_ledger(asked):
    said = asked("audit", "--config=own_method.py", "--config.rounds=2").stdout
    up = 40 * (2 * D + 32 * TENSORS)
    pattern = (
        rf"40 uploads: ledger {up:,} bits, on the wire {up // 8:,} bytes = the same"
    )
    assert re.search(pattern, " ".join(said.split()))


@pytest.mark.more
def test_the_report_has_it_beside_shipped_methods(swept, asked, folder):
    names = [f"{name}-seed0" for name in SHIPPED]
    asked(
        "run", "--config=paper/methods", "--workdir=runs/shipped", *SHORT,
        f"--runs={','.join(names)}", '--config.data=npz("users.npz")',
        "--config.split=natural()", "--config.clients=20",
    )  # fmt: skip
    asked("report", "--workdir=runs", "--targets=0.3")
    report = (folder / "runs/report.md").read_text()
    for name in (*NAMES, *SHIPPED):
        assert name in report
    rows = (folder / "runs/own/ternary-rate0.1/metrics.jsonl").read_text().splitlines()
    assert np.isfinite(json.loads(rows[-1])["train_loss"])
