"""The command line, before any compute."""

import sys
import types

import pytest
from absl.testing import flagsaver

from flq_jax.experiments.options import command_line
from flq_jax.experiments.process import typed
from flq_jax.experiments.process.errors import ConfigError


@pytest.mark.parametrize(
    "argv, file",
    [
        (["main", "--config=a.py"], "a.py"),
        (["main", "--config", "a.py", "--config.seed=1"], "a.py"),
        (["main", "-config=a.py", "--config=b.py"], "b.py"),
        (["main", "--config.seed=1"], ""),
    ],
)
def test_the_config_file_is_the_last_one_given(argv, file):
    assert command_line.file(argv) == file


def test_an_argument_that_is_no_flag_is_refused(capsys):
    argv = ["main", "--config=configs/mnist_sgd.py", "config.seed=1"]
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
        command_line.parse(argv)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: config.seed=1: every argument")


@pytest.mark.parametrize("module", ["experiments.main", "experiments.compare_policies"])
def test_the_command_is_the_one_that_runs(module, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/here/file.py", "--workdir=a b"])
    spec = types.SimpleNamespace(name=module)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert typed.command() == f"python -m {module} '--workdir=a b'"
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert typed.command() == "python /here/file.py '--workdir=a b'"


def test_runs_of_a_config_without_a_sweep_are_refused(monkeypatch):
    argv = ["main", "--config=configs/mnist_sgd.py", "--runs=a"]
    monkeypatch.setattr("sys.argv", argv)
    with flagsaver.flagsaver():
        command_line.parse(argv)
        with pytest.raises(ConfigError, match="--runs: no run a"):
            command_line.runs()


@pytest.mark.parametrize(
    "name", ["..", ".", ".hidden", "", "a/b", "a b", "report.html", "slurm", 7]
)
def test_a_run_s_name_is_a_folder_in_the_workdir(name, tmp_path, monkeypatch):
    (tmp_path / "c.py").write_text(
        "from flq_jax.configs.default import get_config\n\n\ndef sweep():\n"
        f"    return {{{name!r}: get_config()}}\n"
    )
    argv = ["main", f"--config={tmp_path}/c.py"]
    monkeypatch.setattr("sys.argv", argv)
    with flagsaver.flagsaver():
        command_line.parse(argv)
        with pytest.raises(
            ConfigError, match="a run's name must be .* got " + repr(name)
        ):
            command_line.runs()


@pytest.mark.parametrize("more", ["--config=configs/mnist_sgd.py", "--config.seed=1"])
def test_what_was_submitted_is_not_changed(more, capsys):
    with flagsaver.flagsaver(), pytest.raises(SystemExit):
        command_line.parse(["main", "--submitted=a.json", more])
    assert "--submitted: holds the configs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given, must",
    [
        (
            ["--processes=2"],
            "--coordinator: must be given .* --processes=2 --process=0",
        ),
        (["--process=7"], "--coordinator: must be given .* --processes=1 --process=7"),
        (["--coordinator=localhost"], "--coordinator: must be HOST:PORT .* localhost$"),
        (["--coordinator=:12"], "--coordinator: must be HOST:PORT or auto, got :12"),
        (
            ["--coordinator=a:1", "--processes=2", "--process=2"],
            "--process: must be below --processes=2, got --process=2",
        ),
        ([], None),
        (["--coordinator=auto", "--process=7"], None),
        (["--coordinator=[::1]:12", "--processes=8", "--process=7"], None),
    ],
)
def test_processes_that_cannot_be_are_refused(given, must):
    with flagsaver.flagsaver():
        command_line.parse(["main", "--config=configs/mnist_sgd.py", *given])
        if must is None:
            assert len(command_line.processes()) == 3
            return
        with pytest.raises(ConfigError, match=must):
            command_line.processes()


@pytest.mark.parametrize("given", [["--config=mnist_sgd"], ["--config", "mnist_sgd"]])
def test_a_shipped_config_is_given_by_its_name(given, monkeypatch):
    argv = ["main", *given, "--config.rounds=7"]
    monkeypatch.setattr("sys.argv", argv)
    with flagsaver.flagsaver():
        command_line.parse(argv)
        assert command_line.config().rounds == 7
        assert command_line.config().server.learning_rate == 0.008
        assert list(command_line.runs()) == [""]
        assert str(command_line.workdir()) == "runs/mnist_sgd"


@pytest.mark.parametrize("module", ["experiments.main", "flq_jax.experiments.audit"])
def test_usage_is_of_the_command_that_was_typed(module, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/here/file.py", "--config.seed=1"])
    spec = types.SimpleNamespace(name=module)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert typed.usage().startswith(f"python -m {module} --config=FILE [")
