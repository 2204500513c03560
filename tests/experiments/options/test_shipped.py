"""The shipped configs by name."""

import pathlib

import pytest

from flq_jax.experiments.options import shipped


def test_every_shipped_config_has_a_name_and_that_finds_its_file():
    names = shipped.names()
    assert {"default", "mnist_laq", "paper/table1"} <= set(names)
    assert not any("__init__" in name for name in names)
    for name in names:
        assert pathlib.Path(shipped.path(name)) == shipped.FOLDER / f"{name}.py"


def test_a_file_that_is_there_wins_and_a_folder_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist_gd").mkdir()
    (tmp_path / "mnist_laq").write_text("x = 1\n")
    assert shipped.path("mnist_laq") == "mnist_laq"
    assert shipped.path("mnist_gd") == str(shipped.FOLDER / "mnist_gd.py")


@pytest.mark.parametrize("given", ["", "mnist_lag.py", "../configs/mnist_laq", "paper"])
def test_what_is_no_name_is_left_as_it_is(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.path(given) == given


@pytest.mark.parametrize(
    "given, meant",
    [
        ("mnist_sgdd", "mnist_sgd"),
        ("paper/tabel1", "paper/table1"),
        ("configs/mnist_laq.py", "mnist_laq"),
        ("min.py", "mine.py"),
    ],
)
def test_the_nearest_is_a_file_beside_it_or_a_name(given, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    assert shipped.nearest(given) == f"; did you mean {meant}?"
