"""The expressions of a config, as trees, with what `let` and `step` stand for."""

import ast
import functools

from ml_collections import ConfigDict

from flq_jax.expressions.expression import ExpressionError, parse, substituted

from ..process.errors import ConfigError

# In the order in which they are made: each may use what those before it are.
PARTS = (
    "data", "split", "model", "step", "task", "client", "uplink", "downlink", "server",
    "aggregate", "network",
)  # fmt: skip
# What a run supplies to expressions, by name.
SUPPLIED = (
    "clients", "seed", "rounds", "step", "labels", "users", "num_classes", "model", "loss",
    "d", "sizes", "shapes", "place", "work",
)  # fmt: skip

Trees = dict[str, ast.expr]


def trees(config: ConfigDict) -> Trees:
    """Each part's expression, with those of `let` and of `step` in place of their names.

    `ConfigError` if one is none.
    """
    let = [(n, v if isinstance(v, str) else repr(v)) for n, v in config.let.items()]
    return _trees(tuple(let), tuple((part, config[part]) for part in PARTS))


@functools.cache
def _trees(
    let: tuple[tuple[str, str], ...], parts: tuple[tuple[str, str], ...]
) -> Trees:
    named: Trees = {}
    for name, text in let:
        named[name] = substituted(_parsed(f"let.{name}", text), named)
    found = {part: substituted(_parsed(part, text), named) for part, text in parts}
    step = {"step": found["step"]}
    return {part: substituted(tree, step) for part, tree in found.items()}


def _parsed(option: str, text: str) -> ast.expr:
    try:
        return parse(text)
    except ExpressionError as error:
        raise ConfigError(f"config.{option}: {error}") from error
