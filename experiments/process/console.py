"""What the user sees: one progress bar, one line a mishap, one table at the end."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table

WIDEST = 500  # columns of a table of many runs

console = Console(highlight=False, soft_wrap=True)


def tell(line: str) -> None:
    """Prints one line, above the progress bar if there is one."""
    console.print(line, markup=False)


@contextlib.contextmanager
def progress(title: str, total: int, done: int) -> Iterator[Any]:
    """A bar over the rounds; yields (metrics row) -> None, which moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        Remaining(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, figures="")

        def show(row: dict[str, Any]) -> None:
            bar.update(task, completed=row["round"], figures=_figures(row))

        yield show


def _figures(row: dict[str, Any]) -> str:
    loss = "diverged" if row["train_loss"] is None else f"{row['train_loss']:.4f}"
    return (
        f"loss {loss}  accuracy {100 * row['test_accuracy']:.2f} %  "
        f"up {row['uplink_bits']:.3g}  down {row['downlink_bits']:.3g} bits"
    )


def summary_table(summary: dict[str, Any]) -> None:
    """Prints the end of a run."""
    table = Table(title=summary["name"], show_header=False, title_justify="left")
    rows = {
        "rounds": f"{summary['round']:,}" + _why(summary),
        "train loss": _number(summary["train_loss"]),
        "test accuracy": f"{100 * summary['test_accuracy']:.2f} %",
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
    Console(highlight=False, width=WIDEST).print(printed)


def _why(summary: dict[str, Any]) -> str:
    return f" ({summary['stopped']})" if summary["stopped"] else ""


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6f}"
