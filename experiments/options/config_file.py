"""The config file: its options, its sweep, and what it says of itself."""

import importlib.util
import inspect
import os
import pathlib
import re
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict, FrozenConfigDict

from ..process.errors import ConfigError
from . import shipped

# Other files beside the runs' folders.
TAKEN = (
    *("slurm", "report.html", "report.md", "report.tex", "report.csv", "curves.csv"),
    *("table1.md", "policies.md"),
)


def swept(file: str) -> dict[str, ConfigDict] | None:
    """What the file's `sweep()` returns, name -> config; None if it has no such thing.

    Raises:
        ConfigError: anything else or nothing, or names that are no folders' in --workdir.
    """
    sweep = getattr(_module(file), "sweep", None)
    if sweep is None:
        return None
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
    for name in configs:
        fits = isinstance(name, str) and re.fullmatch(r"[\w=+-][\w.=+-]*", name)
        if not fits or name in TAKEN:
            raise ConfigError(
                f"--config: {file}: a run's name must be letters, digits and any of "
                f"_.=+-, no dot first, and none of {', '.join(TAKEN)}, got {name!r}"
            )
    return configs


def load(file: str) -> ConfigDict:
    """What the file's `get_config()` returns; `ConfigError` if there is no such thing."""
    module = _module(file)
    try:
        config = module.get_config()
    except (Exception, SystemExit) as error:
        unknown = isinstance(error, (AttributeError, KeyError))
        raise ConfigError(
            f"--config: {file}: {type(error).__name__}: {error}"
            + "; --config_help lists the options" * unknown
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
    if not os.path.isfile(file):  # no error for a name that is too long
        raise ConfigError(f"--config: no file {file}{shipped.nearest(file)}")
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


def own_names(file: str) -> dict[str, str]:
    """The constructors that the file itself defines: NAME -> STEM.NAME."""
    module, stem = _module(file), pathlib.Path(file).stem
    return {
        name: f"{stem}.{name}"
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
        and stem.isidentifier()
        and callable(value)
        and not name.startswith("_")
        and name not in ("get_config", "sweep")
    }


def about(file: str) -> str:
    """What the config file says of itself: its docstring."""
    return inspect.cleandoc(_module(str(file)).__doc__ or "")
