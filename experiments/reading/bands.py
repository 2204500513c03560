"""Curves of a group: the mean over its seeds, and a band around it.

The mean at an evaluation is over the runs that are results; where none of them is, over
all. Against a cost other than rounds a point stands at the mean cost at that round.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .grouping import Group
from .results import Result

# What a band is: its name -> what the page says of it, the band of some values.
Band = tuple[float, float]
BANDS: dict[str, tuple[str, Callable[[Sequence[float]], Band]]] = {
    "sd": ("mean ± one standard deviation over seeds", lambda values: _around(values)),
    "range": ("all seeds, from the lowest to the highest", lambda v: (min(v), max(v))),
}


class Point(NamedTuple):
    """An evaluation of a group's runs.

    Attributes:
        round: after which it was.
        x: the mean cost then, of the runs that are counted.
        values: of each run, in the group's order; None where it has none.
        mean: of the runs that are counted and have a value.
        sd: their standard deviation; 0 of a single one.
        low, high: ends of the band.
        n: how many they are.
    """

    round: int
    x: float
    values: tuple[float | None, ...]
    mean: float
    sd: float
    low: float
    high: float
    n: int


def counted(group: Group) -> list[Result]:
    """The runs whose figures make the group's: those that are results, or else all."""
    return [run for run in group.results if run.is_result] or group.results


def points(group: Group, key: str, figure: str, band: str = "sd") -> list[Point]:
    """Every round at which some run that is counted has both the figure and the cost.

    Args:
        group: of runs.
        key: the cost, see `results.COSTS`.
        figure: a loss, see `results.losses`, a metric or a cost.
        band: of `BANDS`.
    """
    by_run = [_by_round(run, key, figure) for run in group.results]
    names = {run.name for run in counted(group)}
    mine = [
        found
        for run, found in zip(group.results, by_run, strict=True)
        if run.name in names
    ]
    found = []
    for number in sorted({number for rows in mine for number in rows}):
        there = [rows[number] for rows in mine if number in rows]
        costs, values = zip(*there, strict=True)
        found.append(
            Point(
                number,
                statistics.fmean(costs),
                tuple(rows.get(number, (None, None))[1] for rows in by_run),
                statistics.fmean(values),
                statistics.stdev(values) if len(values) > 1 else 0.0,
                *BANDS[band][1](values),
                len(values),
            )
        )
    return found


def shared(group: Group, found: Sequence[Point]) -> list[Point]:
    """The points, up to the first that one of the counted runs lacks."""
    number = len(counted(group))
    last = next((i for i, point in enumerate(found) if point.n < number), len(found))
    return list(found[:last])


def alone(
    group: Group, key: str, figure: str, after: int
) -> list[tuple[Result, list[tuple[float, float]]]]:
    """What is in no mean: (cost, value) of runs that don't count, and beyond `after`.

    Args:
        group: of runs.
        key: the cost.
        figure: as in `points`.
        after: the last round that all runs that count have; 0 for none. A line begins there.
    """
    names = {run.name for run in counted(group)}
    found = []
    for run in group.results:
        rows = _by_round(run, key, figure)
        first = after if run.name in names else 0
        line = [pair for number, pair in rows.items() if number >= first]
        if any(number > first for number in rows):
            found.append((run, line))
    return found


def _by_round(run: Result, key: str, figure: str) -> dict[int, tuple[float, float]]:
    """(cost, value) of the evaluations that have both, by round."""
    pairs = {
        row["round"]: (run.told(row, key), run.told(row, figure)) for row in run.rows
    }
    return {
        number: (x, y)
        for number, (x, y) in pairs.items()
        if x is not None and y is not None
    }


def _around(values: Sequence[float]) -> Band:
    mean = statistics.fmean(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return mean - spread, mean + spread
