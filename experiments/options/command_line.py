"""The command line: flags, the config file with its overrides, and --config_help."""

import ast
import contextlib
import importlib.util
import inspect
import pathlib
import re
import shlex
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from absl import flags
from ml_collections import ConfigDict, FrozenConfigDict, config_flags

from configs import default

from ..process import address, streams
from ..process.errors import ConfigError, one_line_errors
from . import submitted
from .names import did_you_mean, flatten
from .validation import require_options

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file; --config.OPTION=VALUE overrides one of its options."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run (default: runs/ and the config's name)."
)
_TOGETHER = flags.DEFINE_integer(
    "together", 8, "Most runs of a sweep that share one compiled program.", 1
)
flags.DEFINE_string(
    "submitted", None, "What experiments.launch submitted, instead of --config."
)
_RUNS = flags.DEFINE_list("runs", None, "Only these runs of a sweep, by name.")
_COORDINATOR = flags.DEFINE_string(
    "coordinator", "", "HOST:PORT of the first of several processes, or auto."
)
_PROCESSES = flags.DEFINE_integer("processes", 1, "How many there are.", 1)
_PROCESS = flags.DEFINE_integer("process", 0, "Which one this is.", 0)
_SUMMARY = flags.DEFINE_bool(
    "summary", False, "Show what each run's model costs, and exit."
)
_HELP = flags.DEFINE_bool("config_help", False, "List every option, and exit.")
OWN_FLAGS = (
    "config", "submitted", "workdir", "together", "runs", "coordinator", "processes", "process",
    "summary", "config_help",
)  # fmt: skip
# Other files beside the runs' folders.
TAKEN = "slurm", "report.html", "report.md", "table1.md", "policies.md"

USAGE = (
    "python -m experiments.main --config=FILE [--workdir=DIR] [--config.OPTION=VALUE]"
)


def config() -> ConfigDict:
    """The config of the command line, overrides included."""
    if _CONFIG.value is None:
        raise ConfigError("--config: a config file must be given")
    return _CONFIG.value


def summary() -> bool:
    """Whether the models' costs are to be shown, and nothing run."""
    return _SUMMARY.value


def workdir(name: str = "") -> pathlib.Path:
    """The run's folder: --workdir, or runs/ and the name, or the config file's."""
    if _WORKDIR.value:
        return pathlib.Path(_WORKDIR.value)
    if file := _last(sys.argv, "submitted"):
        return pathlib.Path(file).parent.parent
    return pathlib.Path("runs") / (name or pathlib.Path(config_file(sys.argv)).stem)


def command() -> str:
    """The command line that runs this run, or goes on with it."""
    spec = sys.modules["__main__"].__spec__  # of python -m; a script has none
    program = ["-m", spec.name] if spec else sys.argv[:1]
    return shlex.join(["python", *program, *sys.argv[1:]])


def origin() -> dict[str, str]:
    """What the runs are about, and the command that asked for them."""
    if found := submission():
        return {"about": found.about, "command": found.command}
    file = config_file(sys.argv)
    return {"about": about(file) if file else "", "command": command()}


def digests() -> dict[str, str]:
    """The digest of the data that each run was submitted with; empty if none was."""
    found = submission()
    return found.digests if found else {}


def together() -> int:
    """Most runs of a sweep that share one compiled program: --together."""
    return _TOGETHER.value


def processes() -> tuple[str, int, int]:
    """(coordinator, number of processes, this one); no coordinator: it is alone.

    Raises:
        ConfigError: several processes without a coordinator, a coordinator that is
            neither HOST:PORT nor auto, or a process that is none of them.
    """
    coordinator, count, this = _COORDINATOR.value, _PROCESSES.value, _PROCESS.value
    if not coordinator and (count, this) != (1, 0):
        raise ConfigError(
            "--coordinator: must be given with --processes or --process, got "
            f"--processes={count} --process={this}"
        )
    if coordinator in ("", "auto"):
        return coordinator, count, this
    address.parsed(coordinator)
    if this >= count:
        raise ConfigError(
            f"--process: must be below --processes={count}, got --process={this}"
        )
    return coordinator, count, this


def parse(argv: Sequence[str]) -> list[str]:
    """The `flags_parser` of `app.run`: bad input ends in one line and exit status 2."""
    streams.print_anything()
    with one_line_errors():
        argv = list(argv)
        if any(re.fullmatch(r"--?config_help(=true)?", arg) for arg in argv):
            with contextlib.suppress(BrokenPipeError):  # | head
                print(config_help(config_file(argv)), flush=True)
            sys.stdout = None  # nothing is left to be flushed at exit
            sys.exit(0)
        file = config_file(argv)
        waited = _last(argv, "submitted")
        if waited and any(re.match(r"--?config[.=]|--?config$", arg) for arg in argv):
            raise ConfigError(
                "--submitted: holds the configs, --config must not be given"
            )
        if not file and not waited:
            raise ConfigError(f"--config: a config file must be given; usage: {USAGE}")
        if file:
            require_known(argv, flatten(load(file)))
    return parse_flags(argv)


def parse_flags(argv: Sequence[str]) -> list[str]:
    """The `flags_parser` of commands that take no config."""
    streams.print_anything()
    with one_line_errors():
        streams.require_text(argv)
        try:
            program, *rest = flags.FLAGS(argv)
        except flags.UnrecognizedFlagError as error:
            near = did_you_mean(error.flagname, OWN_FLAGS)
            raise ConfigError(f"--{error.flagname}: no such flag{near}") from error
        except (flags.Error, TypeError, ValueError) as error:
            raise ConfigError(" ".join(str(error).split())) from error
        if rest:
            raise ConfigError(f"{rest[0]}: every argument must be a flag, --NAME=VALUE")
        return [program]


def refuse_all_but(*names: str) -> None:
    """Raises `ConfigError` for a flag of `experiments.main` of another name.

    For the commands that would not heed it.
    """
    for name in OWN_FLAGS:
        if flags.FLAGS[name].present and name not in names:
            raise ConfigError(f"--{name}: is a flag of experiments.main alone")


def config_file(argv: Sequence[str]) -> str:
    """The value of the last --config, or an empty string."""
    return _last(argv, "config")


def submission() -> submitted.Submission | None:
    """What was submitted, with --submitted; it may be asked for before flags are parsed."""
    file = _last(sys.argv, "submitted")
    return submitted.read(file) if file else None


def _last(argv: Sequence[str], name: str) -> str:
    value = ""
    for arg, following in zip(argv, [*argv[1:], ""]):
        if match := re.fullmatch(f"--?{name}=(.*)", arg):
            value = match[1]
        elif arg in (f"--{name}", f"-{name}"):
            value = following
    return value


def runs() -> dict[str, ConfigDict]:
    """The runs of the command line, by name.

    They are what the config file's `sweep()` returns, name -> config; without one there
    is a single run, whose name is empty. Overrides of the command line are every run's.

    Raises:
        ConfigError: `sweep()` returns anything else or nothing, or names that are no
            folders' in --workdir.
    """
    if found := submission():
        return _chosen(found.configs, _RUNS.value)
    file = config_file(sys.argv)
    sweep = getattr(_module(file), "sweep", None)
    if sweep is None:
        return _chosen({"": config()}, _RUNS.value)
    try:
        configs = sweep()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"--config: {file}: sweep(): {type(error).__name__}: {error}"
        ) from error
    named = isinstance(configs, dict) and configs
    if not named or not all(map(_is_config, configs.values())):
        raise ConfigError(
            f"--config: {file}: sweep() must return name -> ConfigDict, one or more, "
            "none of them frozen"
        )
    overrides = config_flags.get_override_values(flags.FLAGS["config"])
    for name, one in configs.items():
        fits = isinstance(name, str) and re.fullmatch(r"[\w=+-][\w.=+-]*", name)
        if not fits or name in TAKEN:
            raise ConfigError(
                f"--config: {file}: a run's name must be letters, digits and any of "
                f"_.=+-, no dot first, and none of {', '.join(TAKEN)}, got {name!r}"
            )
        one.update_from_flattened_dict(overrides)
    return _chosen(configs, _RUNS.value)


def _chosen(configs: dict[str, ConfigDict], names: list[str] | None) -> dict:
    """Those of these names; all of them without a list of names."""
    for name in names or ():
        if name not in configs:
            raise ConfigError(f"--runs: no run {name}{did_you_mean(name, configs)}")
    return {name: configs[name] for name in names or configs}


def load(file: str) -> ConfigDict:
    """What the file's `get_config()` returns; `ConfigError` if there is no such thing."""
    module = _module(file)
    try:
        config = module.get_config()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"--config: {file}: {type(error).__name__}: {error}"
        ) from error
    if not _is_config(config):
        raise ConfigError(
            f"--config: {file}: get_config() must return a ConfigDict, not frozen"
        )
    return config


def _is_config(value: Any) -> bool:
    """Whether options can be set in it, as those of the command line are."""
    return isinstance(value, ConfigDict) and not isinstance(value, FrozenConfigDict)


def _module(file: str) -> ModuleType:
    path = pathlib.Path(file)
    if not path.is_file():
        here = [str(other) for other in path.parent.glob("*.py")]
        raise ConfigError(f"--config: no file {file}{did_you_mean(file, here)}")
    spec = importlib.util.spec_from_file_location("flq_config", path)
    if spec is None:
        raise ConfigError(f"--config: must be a Python file, got {file}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # who leaves leaves without a word
        raise ConfigError(
            f"--config: {file}: {type(error).__name__}: {error}"
        ) from error
    return module


def about(file: str) -> str:
    """What the config file says of itself: its docstring."""
    return inspect.cleandoc(_module(str(file)).__doc__ or "")


def require_known(argv: Sequence[str], options: dict) -> None:
    """Raises `ConfigError` for an override of an option that is not there."""
    for arg in argv:
        match = re.match(r"--?config\.([^=]*)", arg)
        if match and match[1] not in options:
            near = did_you_mean(match[1], options, "--config.")
            raise ConfigError(f"--config.{match[1]}: no such option{near}")


def config_help(file: str = "") -> str:
    """Every option with its value and comment; `*` marks what `file` changes."""
    defaults = flatten(default.get_config())
    values = defaults
    if file:
        config = load(file)
        require_options(config)
        values = flatten(config)
    lines = [f"usage: {USAGE}", "", f"Options{f' of {file}' if file else ''}:", ""]
    for name, comment in comments().items():
        mark = "*" if values[name] != defaults[name] else " "
        option = f"--config.{name}={values[name]}"
        lines.append(f"{mark} {option:<42} {comment}")
    return "\n".join(lines)


def comments() -> dict[str, str]:
    """The comment behind each option in `configs/default.py`, in its order."""
    source = pathlib.Path(default.__file__).read_text(encoding="utf-8")
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            name = ast.unparse(node.targets[0]).removeprefix("config.")
            line = source.splitlines()[node.end_lineno - 1]
            if "  # " in line:
                found[name] = line.split("  # ", 1)[1]
    return found
