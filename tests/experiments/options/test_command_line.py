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
        assert command_line.config().step == "0.008 * clients"
        assert list(command_line.runs()) == [""]
        assert str(command_line.workdir()) == "runs/mnist_sgd"


@pytest.mark.parametrize("module", ["experiments.main", "flq_jax.experiments.audit"])
def test_usage_is_of_the_command_that_was_typed(module, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/here/file.py", "--config.seed=1"])
    spec = types.SimpleNamespace(name=module)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    assert typed.usage().startswith(f"python -m {module} --config=FILE [")


@pytest.mark.parametrize(
    "option, told",
    [
        (
            "compressor.bits",
            "--config.uplink='direct(identity())', see --config_help=up",
        ),
        ("warm_up", "--config.uplink="),
        ("l2", "--config.task='classification(l2=0.01)', see --config_help=task"),
        ("server.learning_rate", "--config.step='0.008 * clients'"),
        ("server.momentum", "--config.server='optax.sgd(step)'"),
        ("server.aggregate", "--config.aggregate='WEIGHTED_MEAN'"),
        ("data.alpha", "--config.split='contiguous()'"),
        ("data.name", "--config.data='mnist()'"),
        ("model.name", "--config.model='Logistic()'"),
        ("sampled", "--config.network='everyone()'"),
    ],
)
def test_former_options_are_told_to_be_expressions(option, told, capsys):
    """In one line, with the option that takes their place and its value."""
    argv = ["main", "--config=configs/mnist_sgd.py", f"--config.{option}=3"]
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
        command_line.parse(argv)
    line = capsys.readouterr().err
    start = f"error: --config.{option}: no such option; options are expressions now: "
    assert ended.value.code == 2 and line.startswith(start + told)
    assert line.count("\n") == 1


@pytest.mark.parametrize(
    "config, option, told",
    [
        ("mnist_flq_low", "let.bit", "of these the config has let.bits, let.xi"),
        ("mnist_sgd", "let.bits", "of these the config has none"),
        ("mnist_sgd", "network.blocks", "did you mean --config.cell.blocks?"),
        ("mnist_sgd", "client.at_once", "did you mean --config.at_once?"),
        ("mnist_sgd", "model.packed", "did you mean --config.packed?"),
        ("mnist_sgd", "uplinks", "did you mean --config.uplink?"),
    ],
)
def test_an_option_that_is_not_there_is_told_with_the_nearest(
    config, option, told, capsys
):
    with flagsaver.flagsaver(), pytest.raises(SystemExit):
        command_line.parse(["main", f"--config={config}", f"--config.{option}=3"])
    line = capsys.readouterr().err
    assert line.startswith(f"error: --config.{option}: no such option; ")
    assert line.endswith(f"{told}\n")


def test_names_of_let_and_expressions_are_overridden(monkeypatch):
    uplink = "--config.uplink=lazy(innovation(uniform(bits)), weight=xi, history=3)"
    argv = ["main", "--config=mnist_flq_low", "--config.let.bits=4", uplink]
    monkeypatch.setattr("sys.argv", argv)
    with flagsaver.flagsaver():
        command_line.parse(argv)
        (config,) = command_line.runs().values()
        assert config.let.bits == 4 and config.let.xi == 0.8
        assert config.uplink == uplink.partition("uplink=")[2]


@pytest.mark.parametrize("given", [["--config_help=uplink"], ["--config_help"]])
def test_help_is_printed_and_nothing_run(given, capsys):
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
        command_line.parse(["main", *given])
    assert ended.value.code == 0 and "config.uplink" in capsys.readouterr().out
