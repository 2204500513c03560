"""Runs whose configs differ in the seed alone, and in what others differ."""

import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from .results import Result, every_run, without_a_line


class Group(NamedTuple):
    """Runs whose configs differ in the seed alone.

    Attributes:
        name: what their names share.
        config: option -> value, without the seed.
        results: the runs, by seed, each seed once.
    """

    name: str
    config: dict[str, Any]
    results: list[Result]


def grouped(results: Iterable[Result]) -> list[Group]:
    """The runs gathered by config, in the order of their first names.

    Where runs repeat one another, the one that got furthest counts, see `repeats`.
    """
    groups: dict[str, Group] = {}
    for same in _by_config(results):
        config = {k: v for k, v in same[0].config.items() if k != "seed"}
        key = json.dumps(config, sort_keys=True)
        group = groups.setdefault(key, Group(same[0].name, config, []))
        group.results.append(same[0])
    for group in groups.values():
        group.results.sort(key=lambda result: result.config.get("seed", 0))
    return [group._replace(name=_shared_name(group)) for group in groups.values()]


def repeats(results: Iterable[Result]) -> dict[str, str]:
    """The runs that have another's config and seed: name -> whose, which counts."""
    return {
        result.name: first.name
        for first, *others in _by_config(results)
        for result in others
    }


def _by_config(results: Iterable[Result]) -> list[list[Result]]:
    """The runs of each config and seed, that which has ended or got furthest first."""
    found: dict[str, list[Result]] = {}
    for result in results:
        key = json.dumps(result.config, sort_keys=True)
        found.setdefault(key, []).append(result)

    def progress(result):
        return bool(result.summary), result.rows[-1]["round"]

    return [sorted(same, key=progress, reverse=True) for same in found.values()]


def differences(groups: list[Group]) -> dict[str, list[Any]]:
    """The options in which groups differ: option -> the value of each group."""
    options = sorted({option for group in groups for option in group.config})
    table = {o: [group.config.get(o) for group in groups] for o in options}
    return {o: row for o, row in table.items() if any(v != row[0] for v in row)}


def left_out(folder: pathlib.Path, found: Iterable[Result]) -> dict[str, str]:
    """The runs in `folder` and below that are in no group: name -> why.

    That is "failed", "not begun", "damaged" or "repeats" another one.

    Args:
        folder: what was read.
        found: what `read` made of it.
    """
    found = list(found)
    repeated = {name: f"repeats {other}" for name, other in repeats(found).items()}
    there = {result.name for result in found}
    damaged = {name: "damaged" for name, _ in every_run(folder) if name not in there}
    return damaged | without_a_line(folder) | repeated


def _shared_name(group: Group) -> str:
    """What the names begin with, as far as a number or a separator."""
    names = [result.name for result in group.results]
    if len(names) == 1:
        return names[0]
    shared = os.path.commonprefix(names).rstrip("0123456789")
    if not all(name[len(shared) :].isdigit() for name in names):
        shared = shared[: 1 + max(shared.rfind(mark) for mark in "/-_=.")]
    return shared.removesuffix("seed").rstrip("/-_=.") or names[0]
