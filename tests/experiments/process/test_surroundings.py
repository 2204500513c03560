"""What the surroundings set of JAX is pinned, refused in a line, or told."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import pytest

from flq_jax.experiments.process import surroundings

ROOT = pathlib.Path(__file__).parents[3]
# Each of the first five was a traceback or other figures, which nobody was told.
NOT_HEEDED = {
    "JAX_ENABLE_X64": "true",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_THREEFRY_PARTITIONABLE": "false",
    "JAX_TRANSFER_GUARD": "disallow",
    "JAX_RANDOM_SEED_OFFSET": "7",
    "JAX_HIGH_DYNAMIC_RANGE_GUMBEL": "true",
}


def run(folder, **variables):
    args = [
        sys.executable, "-m", "experiments.main", "--config=configs/mnist_flq_binary.py",
        f"--workdir={folder}", "--config.rounds=3", "--config.data=synthetic()",
    ]  # fmt: skip
    return subprocess.run(
        args,
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.more
def test_a_run_is_the_same_whatever_the_surroundings_set(tmp_path):
    one = run(tmp_path / "one")
    other = run(tmp_path / "other", JAX_NUMPY_RANK_PROMOTION="raise", **NOT_HEEDED)
    assert (one.returncode, other.returncode) == (0, 0), other.stderr
    rows = [(tmp_path / f"{name}/metrics.jsonl").read_bytes() for name in ("one", "other")]  # fmt: skip
    assert rows[0] == rows[1]
    for name in NOT_HEEDED:
        assert f"{name}=" in other.stdout
    summary = json.loads((tmp_path / "other/summary.json").read_bytes())
    assert "JAX_NUMPY_RANK_PROMOTION" in summary["settings"]
    assert not NOT_HEEDED.keys() & summary["settings"].keys()


@pytest.mark.parametrize(
    "name, value", [("JAX_ENABLE_X64", "maybe"), ("JAX_PLATFORMS", "nothing")]
)
def test_a_value_that_cannot_be_is_one_line(name, value, tmp_path):
    done = run(tmp_path / "run", **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and name in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_is_heeded_is_told(monkeypatch):
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    monkeypatch.setenv("XLA_FLAGS", "--xla_a")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    monkeypatch.setenv("JAX_ENABLE_X64", "true")
    told = surroundings.settings()
    assert told["JAX_DEFAULT_MATMUL_PRECISION"] == "highest"
    assert told["XLA_FLAGS"] == "--xla_a"
    assert not told.keys() & {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_X64"}


def test_what_is_as_it_should_be_is_left_alone(capsys):
    """The test session's own settings, strict ones, are among what is heeded."""
    surroundings.pin()
    assert not capsys.readouterr().out
    assert jax.config.jax_numpy_rank_promotion == "raise"
