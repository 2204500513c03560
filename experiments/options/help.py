"""What `--config_help` prints: every option, or all that may stand in one of them."""

import ast
import inspect
import pathlib
import textwrap
from collections.abc import Collection
from typing import Any

from flq_jax.configs import default
from flq_jax.expressions.nearest import did_you_mean
from flq_jax.expressions.signatures import described, signature_of

from ..process.errors import ConfigError
from .config_file import load
from .names import flatten
from .validation import require_options


def config_help(usage: str, file: str = "") -> str:
    """Every option with its value and comment; `*` marks what `file` changes."""
    defaults = flatten(default.get_config())
    values = defaults
    if file:
        config = load(file)
        require_options(config)
        values = flatten(config)
    lines = [f"usage: {usage}", "", f"Options{f' of {file}' if file else ''}:", ""]
    for name, value in values.items():
        if name.startswith("let."):
            lines.append(f"* --config.{name}={value}")
    for name, comment in comments().items():
        if name == "let":
            continue
        mark = "*" if values[name] != defaults[name] else " "
        option = f"--config.{name}={values[name]}"
        lines.append(f"{mark} {option:<42} {comment}")
    return "\n".join(lines)


def constructors_help(option: str) -> str:
    """Every constructor that may stand in an option, those of the whole part first.

    Each with its arguments but for the run's own, and the first lines of its docstring.
    `ConfigError` if the option is no expression.
    """
    from flq_jax.expressions import vocabulary  # JAX, for those who ask

    if option not in vocabulary.PARTS:
        near = did_you_mean(option, vocabulary.PARTS)
        must = f"must be one of {', '.join(vocabulary.PARTS)}"
        raise ConfigError(f"--config_help: {must}, got {option}{near}")
    part, there = vocabulary.PARTS[option], {**vocabulary.constructors(option)}
    about = (
        f"config.{option} makes {vocabulary.kinds_of(option)}; the default is "
        f"{default.get_config()[option]}. It may use what follows, what lies in modules "
        "(optax.adam, mine.ternary), the names of config.let, step, "
        f"{', '.join(vocabulary.NAMED)}, and the run's {', '.join(part.supplied)}, which "
        "are also filled in for an argument of that name."
    )
    lines = textwrap.wrap(about, 80)
    for kind in (*part.kinds, None):
        found = [
            n for n, v in there.items() if not kind or vocabulary.makes(v, (kind,))
        ]
        title = kind.__name__ if kind else "For their arguments"
        lines += ["", f"{title}:", ""] * bool(found)
        for name in sorted(found):
            lines += _described(name, there.pop(name), part.supplied)
    return "\n".join(lines)


def _described(name: str, value: Any, supplied: Collection[str]) -> list[str]:
    signature = signature_of(value) if callable(value) else None
    call = f"{name}{described(signature, supplied) if signature else ''}"
    lines = textwrap.wrap(call, 78, initial_indent="  ", subsequent_indent=" " * 8)
    about = (inspect.getdoc(value) or "").split("\n\n")[0] * callable(value)
    told = textwrap.wrap(about, 74)
    return lines + [f"      {line}" for line in told]


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
