"""Runs read back from their folders, and what they have in common."""

import json
import math
import os
import pathlib
import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple

from experiments.validate import flatten


class Result(NamedTuple):
    """One run, as its folder has it.

    Attributes:
        name: its folder, relative to the one that was read.
        config: option -> value, the whole resolved config.
        rows: the lines of its metrics file, at least one.
        summary: what it ended with; empty while it has not.
    """

    name: str
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]

    @property
    def mark(self) -> str:
        """Why its figures are no result: "diverged", "stuck", "unfinished", or ""."""
        loss = self.rows[-1]["train_loss"]
        if loss is None:
            return "diverged"
        if not self.summary:
            return "unfinished"
        # A model that knows nothing, but that it knows nothing, has a loss of log C.
        chance = math.log(self.summary["data"]["classes"])
        if loss > 2.0 * chance:
            return "diverged"
        return "stuck" if loss > 0.95 * chance else ""


class Group(NamedTuple):
    """Runs whose configs differ in the seed alone.

    Attributes:
        name: what their names share.
        config: option -> value, without the seed.
        results: the runs, by seed.
    """

    name: str
    config: dict[str, Any]
    results: list[Result]


def read(folder: pathlib.Path) -> list[Result]:
    """Every run in `folder` and below, by name; those without a metrics line left out."""
    results = []
    for path in sorted(folder.glob("**/config.json")):
        log = path.parent / "metrics.jsonl"
        rows = [json.loads(line) for line in log.open()] if log.exists() else []
        if not rows:
            continue
        end = path.parent / "summary.json"
        summary = json.loads(end.read_text()) if end.exists() else {}
        name = path.parent.relative_to(folder).as_posix()
        name = folder.resolve().name if name == "." else name
        config = flatten(json.loads(path.read_text()))
        results.append(Result(name, config, rows, summary))
    return results


def grouped(results: Iterable[Result]) -> list[Group]:
    """The runs gathered by config, in the order of their first names."""
    groups: dict[str, Group] = {}
    for result in results:
        config = {k: v for k, v in result.config.items() if k != "seed"}
        key = json.dumps(config, sort_keys=True)
        groups.setdefault(key, Group(result.name, config, [])).results.append(result)
    for group in groups.values():
        group.results.sort(key=lambda result: result.config.get("seed", 0))
    return [group._replace(name=_shared_name(group)) for group in groups.values()]


def differences(groups: list[Group]) -> dict[str, list[Any]]:
    """The options in which groups differ: option -> the value of each group."""
    options = sorted({option for group in groups for option in group.config})
    table = {o: [group.config.get(o) for group in groups] for o in options}
    return {o: row for o, row in table.items() if any(v != row[0] for v in row)}


def cost_to(result: Result, accuracy: float, key: str) -> float | None:
    """`key` at the first evaluation with this test accuracy; None if there is none."""
    reached = (row[key] for row in result.rows if row["test_accuracy"] >= accuracy)
    return next(reached, None)


def mean_sd(values: Iterable[float | None], digits: str = ".4g") -> str:
    """ "mean +- sd" of the values; of those that are there, with how many are not."""
    values = list(values)
    there = [value for value in values if value is not None]
    if not there:
        return "never"
    text = f"{statistics.fmean(there):{digits}}"
    if len(there) > 1:
        text += f" ± {statistics.stdev(there):{digits.replace('.4g', '.2g')}}"
    return text + (
        f" ({len(there)} of {len(values)})" if len(there) < len(values) else ""
    )


def markdown(table: list[list[str]]) -> str:
    """A table, its first line the header, as Markdown."""
    head, *lines = ["| " + " | ".join(line) + " |" for line in table]
    return "\n".join([head, "|" + "---|" * len(table[0]), *lines]) + "\n"


def _shared_name(group: Group) -> str:
    names = [result.name for result in group.results]
    if len(names) == 1:
        return names[0]
    shared = os.path.commonprefix(names).rstrip("0123456789")
    return shared.removesuffix("seed").rstrip("/-_=.") or names[0]
