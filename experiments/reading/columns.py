"""Columns of a table of runs: what each tells of a run, and which of them are chosen."""

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from flq_jax.expressions.nearest import did_you_mean

from ..process.errors import ConfigError
from ..process.metric_text import aim, heading, is_share, words
from .grouping import Group
from .results import COSTS, LOSS, Result, amount, cost_to, label, losses

# Evaluations whose mean is offered by name; every other number may be asked for, too.
LAST = 5


class Column(NamedTuple):
    """One of a table's columns.

    Attributes:
        name: of it in a file of numbers.
        heading: of it on a page.
        of: what a run says: [] if it knows no such thing, otherwise a value, or None.
        share: whether the values are shares of one, told in percent.
        at_end: whether a run that is no result is left out, where others are.
        absent: what stands where no run has a value.
    """

    name: str
    heading: str
    of: Callable[[Result], Sequence[float | None]]
    share: bool = False
    at_end: bool = True
    absent: str = "not finite"


def values(column: Column, group: Group) -> list[float | None]:
    """What a column tells of a group: a value for each run, None where it lacks it.

    A run that is no result has none at the end, where another one is a result. It is []
    where all runs know no such thing.
    """
    ended = column.at_end and any(run.is_result for run in group.results)
    told = [column.of(run) for run in group.results]
    if not any(told):
        return []
    return [
        found[0] if found and not (ended and not run.is_result) else None
        for run, found in zip(group.results, told, strict=True)
    ]


def offered(
    groups: Sequence[Group], targets: Mapping[str, Sequence[float]], last: int = LAST
) -> dict[str, list[Column]]:
    """The columns that tell something of some run, by the name to choose them by.

    A cost has a column for each target.

    Args:
        groups: of runs.
        targets: metric -> its values whose costs are told, of runs compared by that metric.
        last: evaluations of the mean that is offered beside a metric's last value.
    """
    runs = [run for group in groups for run in group.results]
    metrics = dict.fromkeys(metric for run in runs for metric in run.metrics)
    keys = dict.fromkeys(key for run in runs for key in run.rows[-1])
    judged = dict.fromkeys(filter(None, map(_judged, runs)))
    found = {"rounds": [_at_end("round")], LOSS: [_loss(name) for name in losses(runs)]}
    found |= {metric: [_last(metric)] for metric in metrics}
    found |= {f"{metric}.best": [_best(metric)] for metric in metrics}
    found |= {f"{metric}.last{last}": [_mean(metric, last)] for metric in metrics}
    found |= {"uploads": [_at_end("uploads")]}
    found |= {key: [_at_end(key)] for key in list(COSTS)[1:]}
    found |= {
        key: [_at_end(key)] for key in keys if key not in found and key != "round"
    }
    found["worst_tenth"] = [_worst(metric) for metric in judged]
    for column in _costs(targets):
        found.setdefault(column.name.partition(" ")[0], []).append(column)
    told = {
        name: [column for column in columns if any(map(column.of, runs))]
        for name, columns in found.items()
    }
    return {name: columns for name, columns in told.items() if columns}


def usual(
    groups: Sequence[Group], targets: Mapping[str, Sequence[float]]
) -> list[Column]:
    """The columns of a table for which none are chosen; the costs target by target."""
    there = offered(groups, targets)
    metrics = dict.fromkeys(
        name for g in groups for r in g.results for name in r.metrics
    )
    names = [
        "rounds",
        LOSS,
        *metrics,
        "uploads",
        *list(COSTS)[1:],
        "worst_tenth",
    ]
    offers = {column.name for columns in there.values() for column in columns}
    return [column for name in names for column in there.get(name, [])] + [
        column for column in _costs(targets) if column.name in offers
    ]


def chosen(
    names: Iterable[str],
    groups: Sequence[Group],
    targets: Mapping[str, Sequence[float]],
) -> list[Column]:
    """The columns of these names, in their order.

    `METRIC.lastK` is the mean of a metric over the last K evaluations, for any K of 1 or
    more.

    Raises:
        ConfigError: there is no column of a name.
    """
    there = offered(groups, targets)
    columns: list[Column] = []
    for name in names:
        number = re.fullmatch(r".+\.last([1-9]\d{0,8})", name)
        offers = offered(groups, targets, int(number[1])) if number else there
        if name not in offers:
            near = did_you_mean(name, there)
            raise ConfigError(
                f"--columns: must be of {', '.join(there)}, got {name!r}{near}"
            )
        columns += offers[name]
    return columns


def _at_end(key: str) -> Column:
    def of(run):
        there = key == "bits" or key in run.rows[-1]
        return [amount(run.rows[-1], key)] if there else []

    return Column(_name(key), COSTS.get(key, words(key)), of)


def _loss(name: str) -> Column:
    def of(run):
        return [run.told(run.rows[-1], name)] if name in losses([run]) else []

    return Column(name, label(name), of)


def _name(key: str) -> str:
    return "rounds" if key == "round" else key


def _last(metric: str) -> Column:
    def of(run):
        return [run.rows[-1][metric]] if metric in run.metrics else []

    return Column(metric, heading(metric), of, is_share(metric))


def _best(metric: str) -> Column:
    def of(run):
        if metric not in run.metrics:
            return []
        better = max if run.metrics[metric] == "higher" else min
        there = [row[metric] for row in run.rows if row[metric] is not None]
        return [better(there, default=None)]

    return Column(f"{metric}.best", f"best {heading(metric)}", of, is_share(metric))


def _mean(metric: str, last: int) -> Column:
    def of(run):
        if metric not in run.metrics or len(run.rows) < last:
            return []
        there = [row[metric] for row in run.rows[-last:]]
        return [None if None in there else statistics.fmean(there)]

    label = f"{heading(metric)}, mean of the last {last} evaluations"
    return Column(f"{metric}.last{last}", label, of, is_share(metric))


def _judged(run: Result) -> str:
    """The metric that the run's summary tells of its clients, or ""."""
    return run.summary.get("clients", {}).get("metric", "")


def _worst(metric: str) -> Column:
    def of(run):
        same = _judged(run) == metric
        return [run.summary["clients"]["worst_tenth"]] if same else []

    label = f"{heading(metric)}, worst tenth of clients"
    return Column(f"worst_tenth {metric}", label, of, is_share(metric))


def _costs(targets: Mapping[str, Sequence[float]]) -> list[Column]:
    return [
        _cost(key, label, metric, value)
        for metric, values in targets.items()
        for value in values
        for key, label in COSTS.items()
    ]


def _cost(key: str, what: str, metric: str, value: float) -> Column:
    def of(run):
        compared = run.metric == metric and (key == "bits" or key in run.rows[-1])
        return [cost_to(run, value, key)] if compared else []

    name = f"{_name(key)}_to {metric} {value:g}"
    text = f"{what} to {aim(metric, value)}"
    return Column(name, text, of, at_end=False, absent="never")
