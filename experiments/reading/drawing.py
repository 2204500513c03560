"""Curves of groups in one axes: a page's, or those of a paper's column."""

import io
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..process.metric_text import is_share
from . import bands
from .figures import NAME
from .grouping import Group
from .results import COSTS, LOSS, label

MOST = 10  # curves that one axes can have and still be read
OF_FACET = 8  # curves of each where there are more
GREY = "0.85"
PAGE = {"font.size": 9.0, "svg.hashsalt": "flq_jax"}
PAPER = PAGE | {
    "font.family": "STIXGeneral",  # Times', and comes with Matplotlib
    "mathtext.fontset": "stix",
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "axes.linewidth": 0.6,
    "pdf.fonttype": 42,  # TrueType, embedded
}
# What of a figure would differ from day to day.
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


class Look(NamedTuple):
    """How figures look.

    Attributes:
        style: Matplotlib's settings.
        width: of a figure, in inches.
        height: of its axes and their labels, in inches.
        legend: whether each figure has one.
    """

    style: dict[str, Any]
    width: float
    height: float
    legend: bool


ON_PAGE = Look(PAGE, 4.6, 3.3, False)


def in_paper(width: float) -> Look:
    """Figures as wide as a column, in inches, with a legend above the axes."""
    return Look(PAPER, width, 0.72 * width, True)


def facets(groups: Sequence[Group]) -> list[list[Group]]:
    """The groups of each axes: all, or some of nearly equal number where they are many."""
    groups = list(groups)
    if len(groups) <= MOST:
        return [groups]
    size = math.ceil(len(groups) / math.ceil(len(groups) / OF_FACET))
    return [groups[i : i + size] for i in range(0, len(groups), size)]


def colours(groups: Sequence[Group]) -> list[str]:
    """A colour for each group; the ten that there are come again after the tenth."""
    palette = colormaps["tab10"].colors
    return [to_hex(palette[i % len(palette)]) for i in range(len(groups))]


def curve(
    groups: Sequence[Group],
    key: str,
    figure: str,
    others: Sequence[Group] = (),
    *,
    band: str = "sd",
    look: Look = ON_PAGE,
    form: str = "svg",
) -> bytes:
    """A figure against a cost: of each group the mean over its seeds, in a band.

    What is in no mean is drawn by itself: a run that is no result, dashed, and a run that
    goes on where another one of its group has ended, thin.

    Args:
        groups: a colour each.
        key: the cost, of `COSTS`.
        figure: a loss, see `results.losses`, or a metric.
        others: groups whose means stand behind, in grey.
        band: of `bands.BANDS`.
        look: of the figure.
        form: "svg" or "pdf".
    """
    with rc_context(look.style):
        canvas = Figure(figsize=(look.width, look.height), layout="constrained")
        FigureCanvasAgg(canvas)
        axes = canvas.subplots()
        for group in others:
            found = bands.points(group, key, figure, band)
            _line(axes, [(p.x, p.mean) for p in found], figure, color=GREY, lw=0.8)
        for group, colour in zip(groups, colours(groups)):
            _draw(axes, group, key, figure, colour, band)
        shown = [(x, y) for x, y in _all(groups, key, figure)]
        axes.set_xlabel(COSTS[key])
        axes.set_ylabel(label(figure), **NAME)
        if key != "round" and any(x > 0 for x, _ in shown):
            axes.set_xscale("log")
        if figure.startswith(LOSS) and shown and all(y > 0 for _, y in shown):
            axes.set_yscale("log")
        axes.grid(alpha=0.25, lw=0.5)
        if look.legend:
            _legend(canvas, axes, look)
        return _saved(canvas, form)


def _draw(
    axes: Axes, group: Group, key: str, figure: str, colour: str, band: str
) -> None:
    """One group: its mean and band, and what is in no mean."""
    found = bands.shared(group, bands.points(group, key, figure, band))
    ended = any(run.is_result for run in group.results)
    style = {"color": colour, "linestyle": "-" if ended else "--"}
    if len(bands.counted(group)) > 1 and found:
        ends = [
            [_scaled(figure, end) for end in side]
            for side in ([p.low for p in found], [p.high for p in found])
        ]
        axes.fill_between([p.x for p in found], *ends, color=colour, alpha=0.2, lw=0)
    mean = [(point.x, point.mean) for point in found]
    _line(axes, mean, figure, lw=1.3, label=group.name, **style)
    last = found[-1].round if found else 0
    for run, rest in bands.alone(group, key, figure, last):
        single = {"color": colour, "lw": 0.7, "alpha": 0.7}
        _line(axes, rest, figure, linestyle="-" if run.is_result else "--", **single)


def _line(
    axes: Axes, pairs: Sequence[tuple[float, float]], figure: str, **style
) -> None:
    """A line; a dot where it has one point."""
    x, y = [pair[0] for pair in pairs], [_scaled(figure, pair[1]) for pair in pairs]
    marker = "o" if len(pairs) == 1 else None
    axes.plot(x, y, marker=marker, markersize=3, **style)


def _scaled(figure: str, value: float) -> float:
    return 100.0 * value if is_share(figure) else value


def _all(
    groups: Sequence[Group], key: str, figure: str
) -> Iterator[tuple[float, float]]:
    for group in groups:
        for _, line in bands.alone(group, key, figure, -1):
            yield from line


def _legend(canvas: Figure, axes: Axes, look: Look) -> None:
    """Above the axes, in as many columns as names of this length have room in."""
    lines, names = axes.get_legend_handles_labels()
    letters = max(map(len, names), default=1)
    columns = max(1, min(len(names), int(look.width / (0.4 + 0.062 * letters))))
    rows = math.ceil(len(names) / columns)
    canvas.set_figheight(look.height + 0.16 * rows)
    legend = canvas.legend(
        lines, names, loc="outside upper center", ncols=columns, frameon=False,
        handlelength=1.4, columnspacing=1.0, labelspacing=0.25, borderaxespad=0.1,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _saved(canvas: Figure, form: str) -> bytes:
    file = io.BytesIO()
    canvas.savefig(file, format=form, metadata=UNDATED[form])
    return file.getvalue()
