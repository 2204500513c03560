"""What one process has compiled, the next one finds."""

import os
import pathlib
import subprocess
import sys

import jax
import pytest

from flq_jax.experiments.process import compilation_cache

ROOT = pathlib.Path(__file__).parents[3]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*-cache")}


def run(cache, workdir):
    kept = os.environ | {"XDG_CACHE_HOME": str(cache)}
    kept.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [
        sys.executable, "-m", "experiments.main", "--config=configs/mnist_sgd.py",
        "--config.data=synthetic()", "--config.client=gradient(batch=5)", "--config.rounds=3",
        f"--workdir={workdir}",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=kept)


@pytest.mark.more
def test_a_second_process_compiles_nothing(tmp_path):
    run(tmp_path, tmp_path / "first")
    compiled = files(tmp_path)
    assert len(compiled) > 2
    assert {path.parts[0] for path in compiled} == {"flq_jax"}
    run(tmp_path, tmp_path / "second")
    assert files(tmp_path) == compiled


def test_the_user_s_own_folder_is_left_alone():
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", "/somewhere")
        compilation_cache.keep()
        assert jax.config.jax_compilation_cache_dir == "/somewhere"
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("home", [None, "", "a file"])
def test_where_nothing_can_be_kept_nothing_is(home, monkeypatch, tmp_path):
    """A container's user may have no HOME and no name; a home may be read-only."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if home is None:
        monkeypatch.setattr(pathlib.Path, "home", no_home)
    else:
        (tmp_path / "file").touch()
        monkeypatch.setenv("HOME", home and str(tmp_path / "file"))
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.keep()
        assert jax.config.jax_compilation_cache_dir is None
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.parametrize("text", ["flags\t: sse avx\n", "Features : asimd\n", None])
def test_processors_have_folders_of_their_own(monkeypatch, text):
    here = compilation_cache.folder()
    read = pathlib.Path.read_text

    def other(path, *args, **options):
        if path != pathlib.Path("/proc/cpuinfo"):
            return read(path, *args, **options)
        if text is None:
            raise FileNotFoundError(path)
        return text

    monkeypatch.setattr(pathlib.Path, "read_text", other)
    assert compilation_cache.folder() == compilation_cache.folder() != here
    assert compilation_cache.folder().parent == here.parent
