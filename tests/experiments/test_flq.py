"""The command `flq` hands over to the others."""

import ast
import importlib
import pathlib
import signal
import sys

import pytest
from absl import app

from flq_jax import experiments
from flq_jax.experiments import command
from flq_jax.experiments.options import command_line
from flq_jax.experiments.process import signals
from flq_jax.experiments.process.typed import command as command_line_typed


@pytest.fixture
def typed(monkeypatch):
    """As if `flq` had been typed with these arguments; what is left of `app.run`."""
    handed = []
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(app, "run", lambda main, **how: handed.append((main, how)))

    def type_(*args):
        monkeypatch.setattr("sys.argv", ["/usr/bin/flq", *args])
        return handed

    return type_


def test_every_command_of_the_package_is_there():
    (folder,) = experiments.__path__
    modules = {path.stem for path in pathlib.Path(folder).glob("[!_]*.py")}
    assert {one.module for one in command.COMMANDS.values()} == modules - {"command"}


@pytest.mark.parametrize("name", command.COMMANDS)
def test_a_command_is_run_as_its_module_runs_itself(name, typed):
    handed = typed(name, "--workdir=a b")
    command.main()
    module = importlib.import_module(
        f"flq_jax.experiments.{command.COMMANDS[name].module}"
    )
    ((main, how),) = handed
    assert main is module.main and how["argv"] == ["/usr/bin/flq", "--workdir=a b"]
    last = ast.parse(pathlib.Path(module.__file__).read_text()).body[-1].body[0]
    assert ast.unparse(last) == (
        f"app.run(main, flags_parser=command_line.{how['flags_parser'].__name__})"
    )
    assert command_line_typed() == f"flq {name} '--workdir=a b'"


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_alone_it_lists_the_commands_with_a_line_each(args, typed, capsys):
    typed(*args)
    command.main()
    lines = capsys.readouterr().out.splitlines()
    for name, one in command.COMMANDS.items():
        assert f"  {name:<10}{one.does}" in lines
        assert one.does.endswith(".") and len(one.does) < 60


@pytest.mark.parametrize("name", command.COMMANDS)
def test_help_tells_of_a_command_as_one_types_it(name, typed, capsys):
    handed = typed(name, "--help")
    command.main()
    text = capsys.readouterr().out
    assert not handed and "python -m" not in text and "configs/" not in text
    assert "flq " in text
    for flag in command.COMMANDS[name].heeds:
        assert f"\n  --{flag} " in text


def test_help_has_a_command_s_own_flags(typed, capsys):
    typed("export", "-help")
    command.main()
    assert "--out            The exported model's file.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name, told",
    [
        ("reprot", "reprot: no such command; did you mean report?"),
        ("--wrong", "--wrong: no such command; there are run, launch, report, table,"),
    ],
)
def test_a_wrong_command_is_one_line_with_the_nearest(name, told, typed, capsys):
    handed = typed(name)
    with pytest.raises(SystemExit) as ended:
        command.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and line.startswith(f"error: {told}") and not handed


def test_errors_and_the_way_to_go_on_name_what_was_typed(typed, capsys):
    typed("run")
    with pytest.raises(SystemExit):
        command_line.parse(["flq"])
    assert "; usage: flq run --config=FILE [--workdir=" in capsys.readouterr().err
    typed("run", "--config=mnist_laq")
    with pytest.raises(SystemExit), signals.ending(command_line_typed()):
        raise signals.Interrupted(signal.SIGTERM.name)
    assert "go on with: flq run --config=mnist_laq\n" in capsys.readouterr().out
