"""A researcher's own modules: found, imported, and known by what they say."""

import ast
import hashlib
import importlib
import pathlib
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from ..process.errors import ConfigError
from .expression import ExpressionError, parse, substituted

OURS = "flq_jax", "optax"


def beside(file: str) -> None:
    """Lets expressions name the modules that lie beside a config file.

    Installed ones of the same name come first, see `imported`.
    """
    folder = str(pathlib.Path(file).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)


def qualified(config: ConfigDict, own: Mapping[str, str]) -> ConfigDict:
    """The config with the dotted name for each name that its own file defines.

    Args:
        config: of expressions; those that can't be parsed stay as they are.
        own: name -> dotted name.
    """
    config = config.copy_and_resolve_references()
    trees = {name: ast.parse(dotted, mode="eval").body for name, dotted in own.items()}
    for group in (config, config.get("let", {})):
        for option, text in group.items():
            try:
                if isinstance(text, str) and own:
                    tree = parse(text)
                    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
                    if names & own.keys():
                        group[option] = ast.unparse(substituted(tree, trees))
            except ExpressionError:
                pass  # whoever evaluates it says why
    return config


def imported(dotted: str) -> Any:
    """What a dotted name of a config means: an attribute of a module, or its class's."""
    module, _, attribute = dotted.rpartition(".")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a module may be anybody's
        reason = " ".join(str(error).split())
        raise ExpressionError(
            f"{dotted}: can't import {module}: {type(error).__name__}: {reason:.300}"
        ) from error
    if not hasattr(found, attribute):
        where = getattr(found, "__file__", None) or "it"
        raise ExpressionError(f"{dotted}: no such name in {where}")
    return getattr(found, attribute)


def imported_from_elsewhere(dotted: str) -> Any:
    """Likewise in a file that may be anybody's: it must not be able to run code.

    Only what flq_jax and optax make public is taken, and nothing is imported for it but
    these two.
    """
    root, *path = dotted.split(".")
    if root not in OURS:
        raise ExpressionError(
            f"{dotted}: a file from elsewhere may name parts of flq_jax and optax alone"
        )
    found = importlib.import_module(root)
    for name in path:
        public = getattr(found, "__all__", None) or vars(found)
        found = getattr(found, name, None) if name in public else None
    home = getattr(found, "__module__", None) or getattr(found, "__name__", "")
    if isinstance(found, ModuleType) or home.split(".")[0] != root:
        raise ExpressionError(f"{dotted}: no public name of {root}")
    return found


def digests(trees: Iterable[ast.expr]) -> Mapping[str, str]:
    """The SHA-256 of each module that the expressions name but ours, by name.

    With it go those beside it that it uses.
    """
    dotted = {
        ast.unparse(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    found: dict[str, str] = {}
    for name in sorted(dotted):
        if name.split(".")[0] not in OURS:
            _digest(name.rpartition(".")[0], found)
    return found


def _digest(name: str, found: dict[str, str]) -> None:
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name in found or file is None:
        return
    try:
        found[name] = hashlib.sha256(pathlib.Path(file).read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}") from error
    for value in [*vars(module).values()]:
        inner = value.__name__ if isinstance(value, ModuleType) else None
        inner = inner or getattr(value, "__module__", None)
        other = getattr(sys.modules.get(inner or ""), "__file__", None)
        if other and pathlib.Path(file).parent in pathlib.Path(other).parents:
            _digest(str(inner), found)
