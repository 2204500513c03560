"""What `--config_help` prints: every option with its value and comment."""

import ast
import pathlib

from flq_jax.configs import default

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
