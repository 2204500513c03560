"""Values of metrics whose costs a table tells."""

import math
import statistics
from collections.abc import Mapping, Sequence

from flq_jax.expressions.nearest import did_you_mean

from ..process.errors import ConfigError
from ..process.metric_text import is_share
from .grouping import Group


def targets(
    groups: Sequence[Group],
    asked: Sequence[float] = (),
    named: Mapping[str, Sequence[float]] = {},
) -> dict[str, list[float]]:
    """The values whose costs are told, of each metric that some run is compared by.

    Args:
        groups: of runs.
        asked: those of each such metric; without any, what half of the groups reach, see
            `reached`.
        named: metric -> its values, instead.

    Raises:
        ConfigError: no run is compared by a metric that is named.
    """
    found = {}
    compared = dict.fromkeys(run.metric for group in groups for run in group.results)
    for metric in named:
        if metric not in compared:
            raise ConfigError(
                f"--targets: must be of {', '.join(compared)}, by which the runs are "
                f"compared, got {metric!r}{did_you_mean(metric, compared)}"
            )
    for metric in compared:
        values = list(named.get(metric, asked)) or reached(groups, metric)
        if values:
            found[metric] = values
    return found


def reached(groups: Sequence[Group], metric: str) -> list[float]:
    """What at least half of the groups reach with every seed, to two digits; or nothing.

    Only groups without a marked run have a say. A share is in whole percent. It is rounded
    to the worse side, so that it is reached indeed.
    """
    whole = [
        group.results for group in groups if not any(r.mark for r in group.results)
    ]
    compared = [runs for runs in whole if runs[0].metric == metric]
    if not compared:
        return []
    higher = compared[0][0].metrics[metric] == "higher"
    best, worst = (max, min) if higher else (min, max)
    found = []
    for runs in compared:
        there = [
            [row[metric] for row in run.rows if row[metric] is not None] for run in runs
        ]
        if all(there):
            found.append(worst(map(best, there)))
    middle = statistics.median_low if higher else statistics.median_high
    return [rounded(middle(found), higher, is_share(metric))] if found else []


def rounded(value: float, down: bool, share: bool) -> float:
    """The value to two digits, or a share to whole percent, down or up."""
    if value == 0.0:
        return 0.0
    places = 2 if share else 1 - math.floor(math.log10(abs(value)))
    nearest = round(value, places)
    step = 10.0**-places
    if down and nearest > value:
        nearest -= step
    if not down and nearest < value:
        nearest += step
    return round(nearest, places)
