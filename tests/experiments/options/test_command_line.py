"""The command line, before any compute."""

import sys
import types

import pytest
from absl.testing import flagsaver

from experiments.options import command_line
from experiments.process.errors import ConfigError


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
    assert command_line.config_file(argv) == file


def test_a_file_says_what_it_is_about(tmp_path):
    path = tmp_path / "c.py"
    path.write_text('"""Why is it so?\n\nAnd so?\n"""\nx = 1\n')
    assert command_line.about(path) == "Why is it so?\n\nAnd so?"
    path.write_text("x = 1\n")
    assert command_line.about(path) == ""
    path.write_bytes(b'# coding: latin-1\n"""M\xfcde?"""\n')
    assert command_line.about(path) == "Müde?"
    path.write_bytes(b'\xef\xbb\xbf"""With a mark."""\n')
    assert command_line.about(path) == "With a mark."


@pytest.mark.parametrize(
    "name, text, match",
    [
        ("no.py", None, "no file"),
        ("c.txt", "", "must be a Python file"),
        ("c.py", "1 / 0", "ZeroDivisionError"),
        ("c.py", "import sys\nsys.exit(0)", "c.py: SystemExit: 0"),
        ("c.py", "def get_config():\n    raise SystemExit", "c.py: SystemExit: "),
        ("c.py", "", "get_config"),
        ("c.py", "def get_config():\n    return 3", "must return a ConfigDict"),
        (
            "c.py",
            (
                "import ml_collections\n\n\ndef get_config():\n"
                "    return ml_collections.FrozenConfigDict({})"
            ),
            "must return a ConfigDict, not frozen",
        ),
    ],
)
def test_a_file_that_is_no_config_is_told_in_one_line(name, text, match, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=match) as error:
        command_line.load(str(tmp_path / name))
    assert "\n" not in str(error.value)


def test_a_file_without_an_option_is_told_by_the_help_too(tmp_path):
    (tmp_path / "c.py").write_text(
        "from configs import default\n\n\ndef get_config():\n"
        "    config = default.get_config()\n    del config.l2\n    return config\n"
    )
    with pytest.raises(ConfigError, match="config.l2: is missing"):
        command_line.config_help(str(tmp_path / "c.py"))


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
    assert command_line.command() == f"python -m {module} '--workdir=a b'"
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert command_line.command() == "python /here/file.py '--workdir=a b'"


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
        "from configs.default import get_config\n\n\ndef sweep():\n"
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


def test_help_marks_what_a_file_changes():
    text = command_line.config_help("configs/mnist_sgd.py")
    line = next(x for x in text.splitlines() if "--config.server.learning_rate=" in x)
    assert line.startswith("* --config.server.learning_rate=0.008")
    assert "  --config.seed=0" in text
