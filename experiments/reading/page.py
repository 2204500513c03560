"""One page about the runs in a folder, with everything in it that it needs."""

import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ..process.metric_text import shown
from . import grouping, results
from .bands import BANDS
from .columns import Column
from .drawing import PAGE, colours, curve, facets
from .grouping import Group
from .results import COSTS, Result
from .run_files import MOST_CLIENTS
from .table import lines

WIDEST = 1180  # pixels of a table, on a screen of 1280
LETTER, CELL = 7.8, 20  # pixels: of a letter, around a text
NAMES, TEXTS = 209, 131  # pixels that report.html gives a column of these at least


class Report(NamedTuple):
    """What is told of the runs in a folder.

    Attributes:
        title: the folder's name.
        groups: of runs, at least one.
        columns: of the table.
        left_out: the runs that are in no group: name -> why.
        band: around the curves, of `BANDS`.
    """

    title: str
    groups: list[Group]
    columns: list[Column]
    left_out: Mapping[str, str] = {}
    band: str = "sd"

    @property
    def runs(self) -> list[Result]:
        """All runs, group by group."""
        return [run for group in self.groups for run in group.results]


def html(report: Report) -> str:
    """The page."""
    groups, runs = report.groups, report.runs
    return _template().render(
        title=report.title,
        shown=shown,
        questions=unique(run.summary.get("about", "") for run in runs),
        tables=abreast(lines(groups, report.columns)),
        marks=[(run.name, run.mark) for run in runs if run.mark]
        + [*report.left_out.items()],
        band=BANDS[report.band][0],
        facets=[
            {
                "legend": list(zip([group.name for group in some], colours(some))),
                "curves": [
                    _inline(
                        curve(some, key, figure, _but(groups, some), band=report.band)
                    )
                    for key in costs_of(runs)
                    for figure in figures_of(runs)
                ],
            }
            for some in facets(groups)
        ],
        splits={name: dots(found) for name, found in splits_of(runs).items()},
        most=MOST_CLIENTS,
        differences=abreast(differing(groups), TEXTS),
        runs=runs,
    )


def costs_of(runs: Sequence[Result]) -> list[str]:
    """The costs against which curves are drawn: all but the downlink's by itself."""
    there = {key for run in runs for key in run.rows[-1]} | {"bits"}
    return [key for key in COSTS if key in there and key != "downlink_bits"]


def figures_of(runs: Sequence[Result]) -> list[str]:
    """The figures that are drawn: losses, and all metrics."""
    return results.losses(runs) + unique(name for run in runs for name in run.metrics)


def abreast(
    table: Sequence[Sequence[str]], least: float = 0.0
) -> list[list[list[str]]]:
    """The table in as many as a screen needs; each begins with the first column.

    Args:
        table: a header and lines; the first column, of names, breaks where it must.
        least: pixels that every other column takes.
    """
    columns = [list(column) for column in zip(*table, strict=True)]
    first, *rest = columns
    room = WIDEST - NAMES
    found: list[list[list[str]]] = []
    left = 0.0
    for column in rest:
        width = max(_width(column), least)
        if not found or width > left:
            found.append([first])
            left = room
        found[-1].append(column)
        left -= width
    return [[list(line) for line in zip(*part)] for part in found or [[first]]]


def differing(groups: Sequence[Group]) -> list[list[str]]:
    """A line a group: the options in which groups differ; the names alone if in none."""
    found = grouping.differences(list(groups))
    values = [
        ["" if value is None else str(value) for value in row] for row in found.values()
    ]
    names = [group.name for group in groups]
    return [["runs", *found], *(list(line) for line in zip(names, *values))]


def splits_of(runs: Sequence[Result]) -> dict[str, Sequence[Sequence[int]]]:
    """The splits that differ, by the name of the first run with it."""
    found: dict[str, Sequence[Sequence[int]]] = {}
    for run in runs:
        if run.labels and run.labels not in found.values():
            found[run.name] = run.labels
    return found


def dots(labels: Sequence[Sequence[int]]) -> str:
    """Examples by client and label, a dot each as large as they are many, as SVG."""
    most = max(max(line) for line in labels) or 1
    there = [
        (client, label, 120.0 * count / most)
        for client, line in enumerate(labels)
        for label, count in enumerate(line)
        if count
    ]
    with rc_context(PAGE):
        canvas = Figure(figsize=(4.6, 3.3), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.subplots()
        axes.scatter(*(zip(*there) if there else ([], [])), alpha=0.7, linewidths=0)
        axes.set(xlabel="client", ylabel="label")
        text = io.BytesIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
        return _inline(text.getvalue())


def unique(values: Any) -> list[str]:
    """The values that are not empty, each once, in their order."""
    return [value for value in dict.fromkeys(values) if value]


def _but(groups: Sequence[Group], some: Sequence[Group]) -> list[Group]:
    """The groups that are none of these."""
    names = {group.name for group in some}
    return [group for group in groups if group.name not in names]


def _width(column: Sequence[str]) -> float:
    """Pixels of a column: its cells stay in one line, its heading breaks at spaces."""
    head, *cells = column
    longest = max([*map(len, cells), *map(len, head.split())], default=0)
    return CELL + LETTER * min(longest, 44)


def _inline(svg: bytes) -> str:
    text = svg.decode()
    return text[text.index("<svg") :]


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
    return jinja2.Environment(autoescape=True, loader=loader).get_template(
        "report.html"
    )
