"""What the command line says of a config, looked up before flags are parsed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flq_jax.expressions.nearest import did_you_mean

from ..process.errors import ConfigError
from . import shipped
from .parts import PARTS

# The options, and the groups of options, that are parts of an expression by now.
FORMER = {
    **{part: part for part in PARTS},
    **dict.fromkeys(("compressor", "warm_up"), "uplink"),
    **dict.fromkeys(("data.partition", "data.alpha", "data.shards"), "split"),
    "data.min_size": "split",
    "l2": "task",
    "sampled": "network",
    "server.learning_rate": "step",
    "server.aggregate": "aggregate",
}


def require_known(argv: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raises `ConfigError` for an override of an option that is not there."""
    for arg in argv:
        match = re.match(r"--?config\.([^=]*)", arg)
        if match and match[1] not in options:
            near = instead(match[1], options, "--config.")
            raise ConfigError(f"--config.{match[1]}: no such option{near}")


def instead(name: str, options: Mapping[str, Any], prefix: str = "config.") -> str:
    """The end of an error message: what there is instead."""
    group, _, last = name.partition(".")
    if group == "let":
        names = [option for option in options if option.startswith("let.")]
        return f"; of these the config has {', '.join(names) or 'none'}"
    part = FORMER.get(name) or FORMER.get(group)
    for same in (last, f"cell.{last}"):
        if part and name not in FORMER and same in options:
            return f"; did you mean {prefix}{same}?"
    if part is None:
        return did_you_mean(name, options, prefix)
    return (
        f"; options are expressions now: {prefix}{part}='{options[part]}', see "
        f"--config_help={part}"
    )


def last(argv: Sequence[str], name: str) -> str:
    """The value of the last flag of this name, or an empty string."""
    value = ""
    for arg, following in zip(argv, [*argv[1:], ""]):
        if match := re.fullmatch(f"--?{name}=(.*)", arg, re.DOTALL):
            value = match[1]
        elif arg in (f"--{name}", f"-{name}"):
            value = following
    return value


def with_files(argv: Sequence[str]) -> list[str]:
    """The arguments with the file of each shipped config in place of its name."""
    found = list(argv)
    for i, (before, arg) in enumerate(zip(["", *argv], argv)):
        if match := re.fullmatch("(--?config=)(.*)", arg):
            found[i] = match[1] + shipped.path(match[2])
        elif re.fullmatch("--?config", before):
            found[i] = shipped.path(arg)
    return found
