"""The command `flq`: the others under one name.

    flq run --config=mnist_laq
    flq report --workdir=runs

`flq` lists them, `flq report --help` tells of one. In a clone each is a module as well:
`python -m experiments.report --workdir=runs`.
"""

import importlib
import inspect
import re
import sys
from types import ModuleType
from typing import NamedTuple

from absl import app, flags

from flq_jax.expressions.nearest import did_you_mean

from .options import command_line
from .process.errors import ConfigError, one_line_errors


class Command(NamedTuple):
    """One of them.

    Attributes:
        module: of this package, whose `main` it is.
        does: what it does, in a line.
        heeds: which flags of all commands it heeds, beside its own.
    """

    module: str
    does: str
    heeds: tuple[str, ...] = ("workdir",)


_RUN = "config", "workdir", "together", "runs"
_ALONE = "targets", "coordinator", "processes", "process", "summary", "config_help"
COMMANDS = {
    "run": Command("main", "Run a config, or all runs of its sweep.", _RUN + _ALONE),
    "launch": Command("launch", "Run a sweep in several processes, or on Slurm.", _RUN),
    "report": Command(
        *("report", "Write a page, tables and figures of the runs in a folder."),
        ("workdir", "runs", "targets"),
    ),
    "table": Command("table1", "Set runs beside the paper's Table I."),
    "policies": Command("compare_policies", "Set radio policies side by side."),
    "export": Command("export", "Write a run's model at its true width."),
    "audit": Command("audit", "Send every message of a run as bytes.", ("config",)),
    "deploy": Command("deploy", "Run a config on Flower.", ("config", "workdir")),
}
_HELP = re.compile("-h|--?help")


def main() -> None:
    """Hands over to the command that was asked for."""
    program, *asked = sys.argv
    if not asked or _HELP.fullmatch(asked[0]):
        print(listed())
        return
    with one_line_errors():
        command = chosen(asked[0])
    module = importlib.import_module(f".{command.module}", __package__)
    if any(map(_HELP.fullmatch, asked)):
        print(about(command, module))
        return
    takes_config = "config" in command.heeds
    parser = command_line.parse if takes_config else command_line.parse_flags
    app.run(module.main, argv=[program, *asked[1:]], flags_parser=parser)


def chosen(name: str) -> Command:
    """The command of this name; `ConfigError` if there is none."""
    if name not in COMMANDS:
        near = did_you_mean(name, COMMANDS) or f"; there are {', '.join(COMMANDS)}"
        raise ConfigError(f"{name}: no such command{near}")
    return COMMANDS[name]


def listed() -> str:
    """Every command with its line."""
    lines = [f"  {name:<10}{command.does}" for name, command in COMMANDS.items()]
    more = "flq COMMAND --help tells more; flq run --config_help lists the options."
    return "\n".join(["usage: flq COMMAND [--FLAG=VALUE ...]", "", *lines, "", more])


def about(command: Command, module: ModuleType) -> str:
    """What a command's module says of itself, and the flags that it heeds."""
    text = inspect.cleandoc(module.__doc__ or "")
    for name, other in COMMANDS.items():
        text = text.replace(f"python -m experiments.{other.module} ", f"flq {name} ")
    text = re.sub(r"--config=configs/([\w/]+)\.py", r"--config=\1", text)
    own = flags.FLAGS.flags_by_module_dict().get(module.__name__, [])
    heeded = [*(flags.FLAGS[name] for name in command.heeds), *own]
    lines = [f"  --{flag.name:<15}{flag.help}" for flag in heeded]
    return "\n".join([text, "", "Flags:", "", *lines])


if __name__ == "__main__":
    main()
