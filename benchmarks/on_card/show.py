"""The card's rows as a table and as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

TOLD_APART = {"part", "work", "us", "floor_us"}


def print_table(rows: Sequence[dict]) -> None:
    """Every row: microseconds, floor, how many times the floor, and what else is known."""
    table = Table(title="accelerator", title_justify="left")
    for column in ("part", "work", "us", "floor", "over", "note"):
        right = column in ("us", "floor", "over")
        table.add_column(column, justify="right" if right else "left")
    for row in rows:
        us, floor = row.get("us"), row.get("floor_us")
        numbers = us, floor, us / floor if us and floor else None
        note = ", ".join(
            f"{key} {_short(value)}"
            for key, value in row.items()
            if key not in TOLD_APART
        )
        cells = [f"{number:,.3g}" if number else "" for number in numbers]
        table.add_row(row["part"], row["work"], *cells, note)
    Console(width=140).print(table)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def picture(rows: Sequence[dict], path: str) -> None:
    """Draws microseconds as bars, and floors as marks on them, a panel for each part.

    Args:
        rows: of the card; the first says where it was measured.
        path: what is written, .png, .svg or .pdf.
    """
    timed = [row for row in rows if "us" in row and row["part"] != "ceilings"]
    parts = list(dict.fromkeys(row["part"] for row in timed))
    counts = [sum(row["part"] == part for row in timed) for part in parts]
    figure = Figure(figsize=(9.0, 1.2 + 0.22 * len(timed)), layout="constrained")
    panels = figure.subplots(
        max(1, len(parts)), squeeze=False, sharex=True, height_ratios=counts or None
    )
    for part, axes in zip(parts, panels[:, 0]):
        those = [row for row in timed if row["part"] == part]
        places = range(len(those))
        axes.barh(places, [row["us"] for row in those], label="measured")
        floors = [row.get("floor_us") or None for row in those]
        known = [(floor, place) for floor, place in zip(floors, places) if floor]
        if known:
            axes.plot(*zip(*known), "k|", markersize=9, label="floor")
        axes.set_yticks(places, [row["work"] for row in those], fontsize=7)
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_title(part, loc="left", fontsize=9)
    panels[-1, 0].set_xlabel("microseconds")
    if timed:
        figure.legend(*panels[0, 0].get_legend_handles_labels(), fontsize=7)
    figure.suptitle(rows[0]["work"], fontsize=10)
    figure.savefig(path, dpi=150)
