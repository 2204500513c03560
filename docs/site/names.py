"""The public names: what the rooms export, and where the reference has it."""

import functools
import importlib
import inspect
import pathlib
import pkgutil
import re
from typing import Any

HERE = pathlib.Path(__file__).parents[1]
ROOT = HERE.parent
OF_A_MODULE = re.compile(r"^\.\. automodule:: (\S+)$", re.MULTILINE)
OF_A_NAME = re.compile(r"^\.\. auto(?:class|function|data):: (\S+)$", re.MULTILINE)


@functools.cache
def modules() -> tuple[str, ...]:
    """The library's modules, without its neighbours in a clone and what needs Flower."""
    found = pkgutil.walk_packages([str(ROOT / "flq_jax")], "flq_jax.")
    names = (module.name for module in found)
    return tuple(sorted(n for n in names if not n.startswith("flq_jax.flower.")))


def members(name: str) -> list[str]:
    """The names that a module is documented by: its `__all__`, or all of its own."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return [each for each in module.__all__ if not each.startswith("__")]
    return [
        each
        for each, value in vars(module).items()
        if not each.startswith("_") and getattr(value, "__module__", "") == name
    ]


def exported() -> set[str]:
    """Every name in an `__all__` of the library, with its module; rooms are none."""
    found = set()
    for module in modules():
        if hasattr(importlib.import_module(module), "__all__"):
            found |= {f"{module}.{name}" for name in members(module)}
    return found


def resolved(name: str) -> Any:
    """The object of a full name, or None."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None


def origin(value: Any) -> tuple[str, str] | None:
    """Where a function or a class is defined; None of any other value."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return value.__module__, value.__qualname__
    return None


def tests_of(value: Any) -> str:
    """The file of tests named for the module of a function or class, or ""."""
    where = (origin(value) or ("", ""))[0].split(".")[1:]
    if not where:
        return ""
    path = "/".join(["tests", *where[:-1], f"test_{where[-1]}.py"])
    return path if (ROOT / path).is_file() else ""


@functools.cache
def documented() -> dict[str, str]:
    """Full name -> page, of all that the pages of the reference ask for."""
    found = {}
    for page in sorted((HERE / "reference").glob("*.md")):
        text = page.read_text()
        for module in OF_A_MODULE.findall(text):
            if not module.startswith("flq_jax.flower."):
                found |= dict.fromkeys(
                    (f"{module}.{name}" for name in members(module)), page.stem
                )
        found |= dict.fromkeys(OF_A_NAME.findall(text), page.stem)
    return found


@functools.cache
def _by_origin() -> dict[tuple[str, str], str]:
    found = ((origin(resolved(name)), name) for name in documented())
    return {place: name for place, name in found if place}


def canonical(name: str) -> str | None:
    """The name by which the reference has an object of this full name, if it has."""
    if name in documented():
        return name
    place = origin(resolved(name)) if "." in name else None
    return _by_origin().get(place) if place else None


@functools.cache
def _by_last() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in documented():
        found.setdefault(name.rpartition(".")[2], []).append(name)
    return found


def meant(short: str, room: str) -> str | None:
    """What a docstring of a room means by a name: its own, or the only one there is.

    Args:
        short: a name, or a class and one of its attributes.
        room: the second part of the module's name.
    """
    found = _by_last().get(short.partition(".")[0], [])
    own = [name for name in found if name.split(".")[1] == room]
    candidates = own or found
    return candidates[0] if len(candidates) == 1 else None
