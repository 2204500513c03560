"""Curves of a run, as PNG files beside its log."""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..process.metric_text import ACCURACY, heading, scaled

# file name: (abscissa, its label, whether it is drawn on a logarithmic axis)
ABSCISSAE = {
    "rounds": ("round", "communication rounds", False),
    "bits": ("uplink_bits", "uplink bits", True),
    "seconds": ("seconds", "simulated seconds", False),
    "joules": ("joules", "joules of all clients", True),
}
# A folder's name is no mathematics.
NAME = {"parse_math": False, "usetex": False}


def curves(
    rows: list[dict[str, Any]],
    folder: pathlib.Path,
    title: str,
    metrics: Sequence[str] = (ACCURACY,),
    loss: str = "train loss",
) -> None:
    """Draws train loss and metrics against rounds, uplink bits, and in a cell against
    seconds and joules.

    Args:
        rows: the lines of the metrics file.
        folder: where `rounds.png` and so on are written; made if need be.
        title: printed above the axes.
        metrics: of the model, what to draw beside the loss.
        loss: the name of the train loss, if the rows have it.
    """
    folder.mkdir(exist_ok=True)
    panels = [
        (heading(m), _drawn([scaled(m, row[m]) for row in rows]), "linear")
        for m in metrics
    ]
    if "train_loss" in rows[0]:
        losses = _drawn([row["train_loss"] for row in rows])
        there = any(value > 0.0 for value in losses)  # not so if it diverged at once
        panels.insert(0, (loss, losses, "log" if there else "linear"))
    for name, (key, label, logarithmic) in ABSCISSAE.items():
        if key not in rows[0]:
            continue
        figure = Figure(figsize=(4.5 * len(panels), 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title, **NAME)
        x = [row[key] for row in rows]
        (drawn,) = figure.subplots(1, len(panels), squeeze=False)
        for axes, (what, values, scale) in zip(drawn, panels, strict=True):
            axes.plot(x, values, ".-")
            axes.set(xlabel=label, yscale=scale)
            axes.set_ylabel(what, **NAME)
            axes.grid(alpha=0.3)
            if logarithmic and min(x) > 0:
                axes.set_xscale("log")
        figure.savefig(folder / f"{name}.png", dpi=120)


def cell_map(cell: dict[str, list], path: pathlib.Path, title: str) -> None:
    """Draws where the clients are, and how often each took part and was heard.

    Args:
        cell: columns x_m, y_m, scheduled and heard, an entry a client.
        path: of the PNG file.
        title: printed above the map.
    """
    figure = Figure(figsize=(6.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(0, 0, "k^", markersize=9, label="base station")
    most = max(*cell["scheduled"], 1)
    sizes = [20 + 380 * count / most for count in cell["scheduled"]]
    heard = [
        arrived / max(count, 1)
        for arrived, count in zip(cell["heard"], cell["scheduled"], strict=True)
    ]
    dots = axes.scatter(
        *(cell["x_m"], cell["y_m"]), sizes, heard, vmin=0.0, vmax=1.0, alpha=0.8
    )
    if len(sizes) <= 50:
        for x, y, count in zip(
            cell["x_m"], cell["y_m"], cell["scheduled"], strict=True
        ):
            axes.annotate(str(count), (x, y), ha="center", va="center", fontsize=7)
    figure.colorbar(dots, label="share of its rounds in which it was heard")
    axes.set(xlabel="m", ylabel="m", aspect="equal")
    axes.set_title(f"{title}: rounds in which each took part", fontsize=9, **NAME)
    axes.legend(loc="upper right", fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def messages(found: dict[str, list], path: pathlib.Path) -> None:
    """Draws one client's messages: two coordinates, their entropy, their sign flips.

    Args:
        found: see `studies.messages`.
        path: of the PNG file.
    """
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    (one, other), (entropy, flips) = figure.subplots(2, 2, sharex=True)
    for axes, number, exact, sent in zip(
        (one, other),
        found["coordinates"],
        found["gradient"],
        found["estimate"],
        strict=True,
    ):
        axes.plot(found["round"], exact, "0.6", lw=1.0, label="gradient")
        axes.step(found["round"], sent, lw=1.0, where="mid", label="at the server")
        axes.set_title(f"coordinate {number}", fontsize=9)
        axes.legend(fontsize=8)
    entropy.plot(found["round"], _drawn(found["entropy"]), ".", ms=4)
    entropy.set(ylabel="entropy of the codes (bits)", ylim=(0.0, None))
    flips.plot(found["round"], _drawn(found["sign_flips"]), ".", ms=4)
    flips.set(ylabel="share of signs that change", ylim=(0.0, None))
    for axes in (one, other, entropy, flips):
        axes.grid(alpha=0.3)
    for axes in (entropy, flips):
        axes.set_xlabel("communication round")
    figure.savefig(path, dpi=120)


def levels(found: dict[str, Any], path: pathlib.Path) -> None:
    """Draws the quantization error by the number of levels, and its knee.

    Args:
        found: see `studies.levels`.
        path: of the PNG file.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(found["levels"], found["uniform"], "s-", ms=4, label="uniform")
    axes.plot(found["levels"], found["lloyd_max"], "o-", ms=4, label="Lloyd-Max")
    axes.plot(
        *(found["levels"], found["theory"], "k--"), lw=1.0, label="Panter and Dite"
    )
    axes.axvline(found["knee"], color="0.5", lw=1.0, label=f"knee, k = {found['knee']}")
    axes.axhline(found["rms"], color="0.8", lw=1.0, label="RMS of the gradients")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="number of levels k", ylabel="RMSE of a coordinate", yscale="log")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)


def _drawn(values: list[float | None]) -> list[float]:
    """Gaps where there is nothing."""
    return [math.nan if value is None else value for value in values]
