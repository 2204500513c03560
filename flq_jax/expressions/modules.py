"""What dotted names mean: parts of modules, and what such a module says."""

import ast
import hashlib
import importlib
import pathlib
import sys
import sysconfig
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from flq_jax.expressions.expression import ExpressionError
from flq_jax.expressions.nearest import did_you_mean

OURS = "flq_jax", "optax"
STANDARD = sysconfig.get_path("stdlib")


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
        near = did_you_mean(attribute, vars(found))
        raise ExpressionError(f"{dotted}: no such name in {where}{near}")
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
        public = isinstance(found, ModuleType) and name in getattr(found, "__all__", ())
        found = getattr(found, name) if public else None
        home = getattr(found, "__module__", None) or getattr(found, "__name__", "")
        if home.split(".")[0] != root:
            raise ExpressionError(f"{dotted}: no public name of {root}")
    if isinstance(found, ModuleType):
        raise ExpressionError(f"{dotted}: no public name of {root}, but a module")
    return found


def digests(trees: Iterable[ast.expr]) -> dict[str, str]:
    """The SHA-256 of each module that the expressions name but ours, by name.

    With it go those beside it that it imports, wherever in it and whatever of them, but
    for installed ones.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    dotted = {ast.unparse(n) for n in nodes if isinstance(n, ast.Attribute)}
    found: dict[str, str] = {}
    for name in sorted(dotted):
        module = name.rpartition(".")[0]
        file = getattr(sys.modules.get(module), "__file__", None)
        if file and name.split(".")[0] not in OURS:
            _digest(module, pathlib.Path(file), found)
    return found


def _digest(name: str, file: pathlib.Path, found: dict[str, str]) -> None:
    if name in found:
        return
    try:
        content = file.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
        tree = ast.parse(content) if file.suffix == ".py" else ast.Module([], [])
    except OSError as error:
        raise ExpressionError(f"{file}: can't be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:  # changed since it was imported
        raise ExpressionError(f"{file}: {error}") from error
    if file.is_relative_to(STANDARD) or "site-packages" in file.parts:
        return
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    # The folder that absolute names are looked up in.
    top = file.parents[package.count(".") + 1 if package else 0]
    for inner in _imports(tree, package):
        path = top / inner.replace(".", "/")
        for other in (path.with_suffix(".py"), path / "__init__.py"):
            if other.is_file():
                _digest(inner, other, found)


def _imports(tree: ast.Module, package: str) -> set[str]:
    """What a module may import of modules, the packages that they lie in among them."""
    names = {package}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            here = package.split(".")[: package.count(".") + 2 - node.level]
            base = [*here * bool(node.level), *filter(None, [node.module])]
            names |= {".".join([*base, alias.name]) for alias in node.names}
    parts = [name.split(".") for name in names if name]
    return {".".join(p[: n + 1]) for p in parts for n in range(len(p))}
