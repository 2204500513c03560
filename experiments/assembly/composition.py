"""What a config's expressions make, and what they have in common with another's."""

import ast
import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from flq_jax.expressions import vocabulary
from flq_jax.expressions.canonical import asked, canonical, holed
from flq_jax.expressions.expression import ExpressionError, evaluate, parse

from ..options.parts import PARTS, Trees, trees
from ..process.errors import ConfigError

# What a run's programs are made of; data and split are in the arrays that they work on.
PROGRAM = PARTS[2:]


def made(
    found: Trees, option: str, values: Mapping[str, Any], from_elsewhere: bool = False
) -> Any:
    """What a part's expression makes; `ConfigError` if it makes nothing, or another.

    Args:
        found: of `trees`, or of a `Composition`.
        option: of `PARTS`.
        values: what the run has by then, see `vocabulary.PARTS`.
        from_elsewhere: whether the expression may be anybody's.
    """
    scope = vocabulary.scope(option, values, from_elsewhere=from_elsewhere)
    try:
        value = evaluate(found[option], scope)
        vocabulary.require_kind(option, value, ast.unparse(found[option]))
    except ExpressionError as error:
        raise ConfigError(f"config.{option}: {error}") from error
    return value


@contextlib.contextmanager
def blaming(found: Trees, *options: str) -> Iterator[None]:
    """Makes a ValueError of parts that don't fit a `ConfigError` that names them.

    Args:
        found: see `made`.
        options: which parts; none: those that the error itself speaks of.
    """
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).removeprefix("federation: ")
        words = re.findall("[a-z]+", reason.replace("step_size", "step"))
        named = options or [part for part in PARTS[3:] if part in words]
        shown = ", ".join(f"config.{n}: {ast.unparse(found[n])}" for n in named)
        raise ConfigError(f"{shown or 'config'}: {reason:.500}") from error


def require_free(config: ConfigDict) -> None:
    """Raises `ConfigError` if a name of `config.let` has another meaning."""
    try:
        vocabulary.require_free(config.let)
    except ExpressionError as error:
        raise ConfigError(f"config.let.{error}") from error


class Composition(NamedTuple):
    """What the programs of a run are made of.

    Attributes:
        parts: the expressions of `PROGRAM`, in one way, with names for their numbers.
        numbers: values by these names, which a program may take as its arguments.
    """

    parts: Trees
    numbers: dict[str, float]


def composed(config: ConfigDict) -> Composition:
    """The composition of a config whose expressions are good."""
    values = tuple(known(config).items())
    parts, numbers = {}, {}
    for option, tree in trees(config).items():
        if option in PROGRAM:
            parts[option], found = _with_holes(option, ast.unparse(tree), values)
            numbers |= found
    return Composition(parts, numbers)


def known(config: ConfigDict) -> dict[str, int]:
    """What each part of a run may name."""
    return {name: config[name] for name in ("clients", "seed", "rounds")}


@functools.cache
def _with_holes(
    option: str, text: str, values: tuple[tuple[str, int], ...]
) -> tuple[ast.expr, dict[str, float]]:
    scope = vocabulary.known(option)
    scope = scope._replace(names={**scope.names, **dict(values)})
    tree = canonical(parse(text), scope)
    if option == "step":
        return ast.Name("_step", ast.Load()), {"_step": float(evaluate(tree, scope))}
    return holed(tree, scope, f"_{option}")


def canonical_texts(config: ConfigDict) -> dict[str, str]:
    """Each part in the one way, for files and for comparisons.

    `ConfigError` if one is of no constructor that is there, or its arguments none of it.
    """
    found, texts = trees(config), {}
    for option, tree in found.items():
        with blaming(found, option):
            texts[option] = _canonical(option, ast.unparse(tree))
    return texts


@functools.cache
def _canonical(option: str, text: str) -> str:
    return ast.unparse(canonical(parse(text), vocabulary.known(option)))


def asks(option: str, tree: ast.expr, name: str) -> bool:
    """Whether a part uses this value of the run; not so if its expression is not good."""
    try:
        return name in asked(tree, vocabulary.known(option))
    except (ExpressionError, TypeError):  # whoever evaluates it says why
        return False
