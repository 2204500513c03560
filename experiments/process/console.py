"""What the user sees: one progress bar, one line a mishap, one table at the end."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table

from .metric_text import ACCURACY, shown, words

WIDEST = 500  # columns of a table of many runs


class _Unheard(Console):
    """Words alone: names are no markup, and where nobody reads them the work goes on."""

    def __exit__(self, *exception) -> None:  # each print ends here
        try:
            super().__exit__(*exception)
        except OSError as error:  # as where the disk is full that stdout goes to
            self._be_quiet(error.strerror or repr(error))

    def on_broken_pipe(self) -> None:
        self._be_quiet("nobody reads it")

    def _be_quiet(self, why: str) -> None:
        self.quiet = True
        # What lies in the buffer of stdout would fail again at the program's end.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with contextlib.suppress(OSError, ValueError, AttributeError):
            print(f"stdout: {why}; the work goes on unheard", file=sys.stderr)


PLAIN = {"highlight": False, "markup": False, "emoji": False}
console = _Unheard(soft_wrap=True, **PLAIN)


def tell(line: str) -> None:
    """Prints one line, above the progress bar if there is one."""
    console.print(line)


def told(what: str, work: Callable[..., None]) -> Callable[..., None]:
    """Work that a run can do without: the first failure is one line and the last call.

    Args:
        what: as the line names it.
        work: called with what the result is called with.
    """
    failed = False

    def tried(*args) -> None:
        nonlocal failed
        if failed:
            return
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 whatever it is, the run goes on
            failed = True
            tell(f"{what}: left out, {' '.join(repr(error).split()):.200}")

    return tried


@contextlib.contextmanager
def progress(
    title: str, total: int, done: int, metric: str = ACCURACY
) -> Iterator[Any]:
    """A bar over the rounds; yields (metrics row) -> None, which moves it.

    Args:
        title: of the bar.
        total: rounds that there are to be.
        done: rounds that there are.
        metric: which one it shows.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        Remaining(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, figures="")

        def show(row: dict[str, Any]) -> None:
            bar.update(task, completed=row["round"], figures=_figures(row, metric))

        yield show


def _figures(row: dict[str, Any], metric: str) -> str:
    loss = ""
    if "train_loss" in row:
        value = row["train_loss"]
        loss = f"loss {'diverged' if value is None else f'{value:.4f}'}  "
    return (
        f"{loss}{words(metric.removeprefix('test_'))} "
        f"{shown(metric, row[metric])}  "
        f"up {row['uplink_bits']:.3g}  down {row['downlink_bits']:.3g} bits"
    )


def summary_table(summary: dict[str, Any]) -> None:
    """Prints the end of a run."""
    table = Table(title=summary["name"], show_header=False, title_justify="left")
    metrics, losses = summary.get("metrics", [ACCURACY]), {}
    if "train_loss" in summary:
        name = words("train_loss", summary.get("train_loss_share", 1.0))
        losses[name] = _number(summary["train_loss"])
    rows = {
        "rounds": f"{summary['round']:,}" + _why(summary),
        **losses,
        **{words(name): shown(name, summary[name]) for name in metrics},
        "uploads": f"{summary['uploads']:,}",
        "uplink bits": f"{summary['uplink_bits']:,}",
        "downlink bits": f"{summary['downlink_bits']:,}",
        "counted": "{count}, {downlink}, {float_bits}-bit floats".format(
            **summary["accounting"]
        ),
        "wall time": f"{summary['wall_seconds']:.1f} s",
    }
    if "seconds" in summary:
        rows["simulated time"] = f"{summary['seconds']:,.1f} s"
        rows["energy"] = f"{summary['joules']:,.3g} J"
    for event in ("diverged_clients", "overloads", "lost"):
        if summary.get(event):
            rows[event.replace("_", " ")] = f"{summary[event]:,}"
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)


def table(lines: list[list[str]]) -> None:
    """Prints a header and its lines, as wide as they are."""
    printed = Table(*lines[0])
    for column in printed.columns[1:]:
        column.justify = "right"
    for line in lines[1:]:
        printed.add_row(*line)
    wide = _Unheard(width=WIDEST, **PLAIN)
    wide.quiet = console.quiet
    wide.print(printed)


def _why(summary: dict[str, Any]) -> str:
    return f" ({summary['stopped']})" if summary["stopped"] else ""


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6f}"
