"""What `--config_help` prints: every option, or all that may stand in one of them."""

import ast
import inspect
import pathlib

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
    """Every constructor that may stand in an option, what it makes first.

    Each with its arguments, those that the run supplies marked so, and the first line of
    its docstring. `ConfigError` if the option is no expression.
    """
    from flq_jax.expressions import vocabulary  # JAX, for those who ask

    if option not in vocabulary.PARTS:
        near = did_you_mean(option, vocabulary.PARTS)
        there = f"must be one of {', '.join(vocabulary.PARTS)}"
        raise ConfigError(f"--config_help: {there}, got {option}{near}")
    part = vocabulary.PARTS[option]
    kinds = " or ".join(kind.__name__ for kind in part.kinds)
    names = ", ".join([*part.supplied, *vocabulary.NAMED, "step"])
    lines = [
        f"config.{option} makes a {kinds}. Arguments of these names are the run's own",
        f"where they are not given: {', '.join(part.supplied)}.",
        f"It may name {names}, what config.let names, and what lies in modules",
        "(optax.adam, mine.ternary).",
        "",
    ]
    for name, value in sorted(vocabulary.constructors(option).items()):
        about = (inspect.getdoc(value) or "").splitlines()[:1]
        signature = signature_of(value) if callable(value) else None
        lines += [f"  {name}{described(signature) if signature else ''}"]
        lines += [f"      {line}" for line in about]
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
