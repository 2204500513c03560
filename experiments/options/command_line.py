"""The command line: flags, the config file with its overrides, and --config_help."""

import contextlib
import pathlib
import re
import sys
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict, config_flags

from flq_jax.expressions.nearest import did_you_mean

from ..process import address, streams, typed
from ..process.errors import ConfigError, one_line_errors
from . import aims, config_file, overrides, own_modules, shipped, submitted
from .help import config_help, constructors_help
from .names import flatten

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Config file, or the name of one that is shipped; --config.OPTION=VALUE overrides "
    "one of its options.",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run (default: runs/ and the config's name)."
)
_TOGETHER = flags.DEFINE_integer(
    "together", 8, "Most runs of a sweep that share one compiled program.", 1
)
flags.DEFINE_string(
    "submitted", None, "What was submitted to be run, instead of --config."
)
_RUNS = flags.DEFINE_list("runs", None, "Only these runs of a sweep, by name.")
_TARGETS = flags.DEFINE_list(
    "targets", [], "Values whose costs are told, of the runs' metric or METRIC=VALUE."
)
_COORDINATOR = flags.DEFINE_string(
    "coordinator", "", "HOST:PORT of the first of several processes, or auto."
)
_PROCESSES = flags.DEFINE_integer("processes", 1, "How many there are.", 1)
_PROCESS = flags.DEFINE_integer("process", 0, "Which one this is.", 0)
_SUMMARY = flags.DEFINE_bool(
    "summary", False, "Show what each run's model costs, and exit."
)
flags.DEFINE_string(
    "config_help", None, "List every option, or all that may stand in one, and exit."
)
OWN_FLAGS = (
    "config", "submitted", "workdir", "together", "runs", "targets", "coordinator", "processes",
    "process", "summary", "config_help",
)  # fmt: skip


def config() -> ConfigDict:
    """The config of the command line, overrides included."""
    if _CONFIG.value is None:
        raise ConfigError("--config: a config file must be given")
    return _CONFIG.value


def one() -> ConfigDict:
    """The config of a command that takes no sweep, as `runs` has it."""
    own_modules.beside(file())
    return own_modules.qualified(config(), config_file.own_names(file()))


def summary() -> bool:
    """Whether the models' costs are to be shown, and nothing run."""
    return _SUMMARY.value


def workdir(name: str = "") -> pathlib.Path:
    """The run's folder: --workdir, or runs/ and the name, or the config file's."""
    if _WORKDIR.value:
        return pathlib.Path(_WORKDIR.value)
    if waited := overrides.last(sys.argv, "submitted"):
        return pathlib.Path(waited).parent.parent
    return pathlib.Path("runs") / (name or pathlib.Path(file()).stem)


def origin() -> dict[str, str]:
    """What the runs are about, and the command that asked for them."""
    if found := submission():
        return {"about": found.about, "command": found.command}
    about = config_file.about(file()) if file() else ""
    return {"about": about, "command": typed.command()}


def digests() -> dict[str, str]:
    """The digest of the data that each run was submitted with; empty if none was."""
    found = submission()
    return found.digests if found else {}


def together() -> int:
    """Most runs of a sweep that share one compiled program: --together."""
    return _TOGETHER.value


def wanted() -> list[str]:
    """The names in --runs, as they stand there; none: all runs."""
    return _RUNS.value or []


def targets() -> tuple[list[float], dict[str, list[float]]]:
    """--targets, see `aims.parsed`."""
    return aims.parsed(_TARGETS.value)


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
        asked = [re.fullmatch(r"--?config_help(?:=(.*))?", arg) for arg in argv]
        if asked := [match for match in asked if match]:
            option = asked[-1][1] or ""
            if option in ("", "true"):
                told = config_help(typed.usage(), file(argv))
            else:
                told = constructors_help(option)
            with contextlib.suppress(BrokenPipeError):  # | head
                print(told, flush=True)
            sys.stdout = None  # nothing is left to be flushed at exit
            sys.exit(0)
        named = file(argv)
        waited = overrides.last(argv, "submitted")
        if waited and any(re.match(r"--?config[.=]|--?config$", arg) for arg in argv):
            raise ConfigError(
                "--submitted: holds the configs, --config must not be given"
            )
        if not named and not waited:
            raise ConfigError(
                f"--config: a config file must be given; usage: {typed.usage()}"
            )
        if named:
            overrides.require_known(argv, flatten(config_file.load(named)))
    return parse_flags(overrides.with_files(argv))


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
            raise ConfigError(
                f"--{name}: is a flag of experiments.main (flq run) alone"
            )


def file(argv: Sequence[str] | None = None) -> str:
    """The file of the last --config, of `sys.argv` if not told, or an empty string."""
    return shipped.path(overrides.last(sys.argv if argv is None else argv, "config"))


def submission() -> submitted.Submission | None:
    """What was submitted, with --submitted; it may be asked for before flags are parsed."""
    waited = overrides.last(sys.argv, "submitted")
    return submitted.read(waited) if waited else None


def runs() -> dict[str, ConfigDict]:
    """The runs of the command line, by name.

    They are what the config file's `sweep()` returns, name -> config; without one there
    is a single run, whose name is empty. Overrides of the command line are every run's.

    Raises:
        ConfigError: see `config_file.swept`, and --runs with another name.
    """
    if found := submission():
        own_modules.beside(found.file)
        return _chosen(found.configs, _RUNS.value)
    configs = config_file.swept(file())
    if configs is None:
        configs = {"": config()}
    else:
        overrides = config_flags.get_override_values(flags.FLAGS["config"])
        for each in configs.values():
            each.update_from_flattened_dict(overrides)
    own_modules.beside(file())
    own = config_file.own_names(file())
    configs = {name: own_modules.qualified(c, own) for name, c in configs.items()}
    return _chosen(configs, _RUNS.value)


def _chosen(configs: dict[str, ConfigDict], names: list[str] | None) -> dict:
    """Those of these names; all of them without a list of names."""
    for name in names or ():
        if name not in configs:
            raise ConfigError(f"--runs: no run {name}{did_you_mean(name, configs)}")
    return {name: configs[name] for name in names or configs}
