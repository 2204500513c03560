"""The expressions of a config, as trees, with what `let` and `step` stand for."""

import ast

from ml_collections import ConfigDict

from ..process.errors import ConfigError
from .expression import ExpressionError, parse, substituted

# In the order in which they are made: each may use what those before it are.
PARTS = (
    "data", "split", "model", "step", "task", "client", "uplink", "downlink", "server",
    "aggregate", "network",
)  # fmt: skip
# What a run supplies to expressions, by name.
SUPPLIED = (
    "clients", "seed", "rounds", "step", "labels", "users", "num_classes", "model", "loss",
    "d", "sizes", "place", "work",
)  # fmt: skip

Trees = dict[str, ast.expr]


def trees(config: ConfigDict) -> Trees:
    """Each part's expression, with those of `let` and of `step` in place of their names.

    `ConfigError` if one is none.
    """
    named: Trees = {}
    for name, value in config.let.items():
        text = value if isinstance(value, str) else repr(value)
        named[name] = substituted(_parsed(f"let.{name}", text), named)
    found = {part: substituted(_parsed(part, config[part]), named) for part in PARTS}
    step = {"step": found["step"]}
    return {part: substituted(tree, step) for part, tree in found.items()}


def _parsed(option: str, text: str) -> ast.expr:
    try:
        return parse(text)
    except ExpressionError as error:
        raise ConfigError(f"config.{option}: {error}") from error
