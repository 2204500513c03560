"""Where a result comes from: this package's own commit, as it was at the start."""

import importlib.metadata
import json
import pathlib
import subprocess
import types

import pytest

from flq_jax.experiments.folder import provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(folder, *files):
    """A repository with these files committed; its commit."""

    def git(*args):
        name = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=0")
        done = subprocess.run(
            ["git", *name, *args],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x = 1\n")
    git("init", "-q")
    git("add", "--all")
    git("commit", "-q", "-m", "One")
    return git("rev-parse", "HEAD")


def test_the_source_is_the_commit_of_this_package_s_checkout(tmp_path, monkeypatch):
    mine = "experiments/folder/provenance.py"
    commit = repository(tmp_path, mine)
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as within a hook of another repository
    assert provenance.checkout(tmp_path) == commit
    (tmp_path / mine).write_text("x = 2\n")
    assert provenance.checkout(tmp_path) == f"{commit} and changes to it"


@pytest.mark.parametrize("committed", [False, True])
def test_a_repository_around_the_environment_is_not_the_source(committed, tmp_path):
    """Nor is one whose root is where packages lie, with others' files alone."""
    site = "venv/lib/site-packages"
    mine = f"{site}/experiments/folder/provenance.py"
    repository(tmp_path, "README", *[mine] * committed)
    (tmp_path / mine).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / mine).write_text("x = 1\n")
    assert provenance.checkout(tmp_path / site) == ""
    other = tmp_path / "other"
    repository(other, "numpy.py")
    (other / "experiments/folder").mkdir(parents=True)
    assert provenance.checkout(other) == ""


GIT = {"url": "https://a/b.git", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}


@pytest.mark.parametrize(
    "noted, source",
    [
        (json.dumps(GIT), f"{COMMIT} of https://a/b.git"),
        ('{"url": "file:///here", "dir_info": {}}', "file:///here"),
        (None, ""),
        ("{", ""),
        ("[1]", ""),
        ('{"vcs_info": 3}', ""),
    ],
)
def test_an_installed_package_is_of_the_commit_that_pip_noted(
    noted, source, monkeypatch
):
    place = pathlib.Path("/site")
    file = place / "flq_jax/experiments/folder/provenance.py"
    monkeypatch.setattr(provenance, "__file__", str(file))
    package = types.SimpleNamespace(
        locate_file=lambda name: place / name, read_text=lambda name: noted
    )
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: package)
    assert provenance.installed() == source
    place = pathlib.Path("/elsewhere")  # another copy is installed than runs
    assert provenance.installed() == ""


def test_what_is_not_installed_is_said(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert provenance.version("flq_jax") == "not installed"
    assert provenance.installed() == ""


def test_it_is_taken_once_whatever_becomes_of_the_config_file(tmp_path, monkeypatch):
    file = tmp_path / "c.py"
    file.write_bytes(b'\xef\xbb\xbf"""Is it so?"""\n')  # a byte order mark
    monkeypatch.setattr("sys.argv", ["main", f"--config={file}"])
    provenance.provenance.cache_clear()
    try:
        before = provenance.provenance()
        file.unlink()
        monkeypatch.setattr("sys.argv", ["main", "--config=other.py"])
        assert before["about"] == "Is it so?" and provenance.provenance() == before
    finally:
        provenance.provenance.cache_clear()


def test_a_run_that_another_version_began_says_so():
    old = {"source": "a", "versions": {"jax": "1"}, "device": "cpu", "command": "x"}
    new = old | {"command": "y"}
    assert provenance.since({}, new) == provenance.since(old, new) == new
    once = provenance.since(old, new | {"source": "b"})
    kept = {"source": "a", "versions": {"jax": "1"}, "device": "cpu"}
    assert once == new | {"source": "b", "earlier": [kept]}
    twice = provenance.since(once, new | {"source": "c"})
    assert [before["source"] for before in twice["earlier"]] == ["a", "b"]
