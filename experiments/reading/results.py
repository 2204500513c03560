"""Runs read back from their folders, and what they have in common."""

import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..options.names import flatten
from ..process import console
from ..process.metric_text import ACCURACY, heading, words
from . import run_files

# What runs are compared at: a key of the metrics' lines, see `amount`, and its words.
COSTS = {
    "round": "rounds",
    "uplink_bits": "uplink bits",
    "downlink_bits": "downlink bits",
    "bits": "total bits",
    "seconds": "seconds",
    "joules": "joules",
}


LOSS = "train_loss"


class Result(NamedTuple):
    """One run, as its folder has it.

    Attributes:
        name: its folder, relative to the one that was read.
        config: option -> value, the whole resolved config.
        rows: the lines of its metrics file, at least one.
        summary: what it ended with; empty while it has not, and once it is prolonged.
        failed: whether it ended in an error.
        metrics: what the model is judged by, name -> "higher" or "lower", whichever is
            better; runs are compared by the first.
        labels: examples by client and label, see `run_files.labels`.
    """

    name: str
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, Any]
    failed: bool = False
    metrics: Mapping[str, str] = {ACCURACY: "higher"}

    labels: Sequence[Sequence[int]] = ()

    @property
    def metric(self) -> str:
        """The metric that runs are compared by."""
        return next(iter(self.metrics))

    @property
    def mark(self) -> str:
        """Why its figures are no result, or "".

        That is "diverged", "failed", "unfinished" or "stuck". Of a run without a train
        loss its end alone tells that it diverged, and nothing that it is stuck.
        """
        loss = self.rows[-1].get("train_loss", 0.0)
        if loss is None or self.summary.get("stopped", "").startswith("diverged"):
            return "diverged"
        if not self.summary:
            return "failed" if self.failed else "unfinished"
        # A model that knows nothing, but that it knows nothing, has a cross-entropy of
        # log C; what other losses are large nobody knows.
        classes = self.summary["data"]["classes"] if self.metric == ACCURACY else 0
        chance = math.log(max(classes, 1))
        if loss > 2.0 * chance > 0.0:
            return "diverged"
        return "stuck" if loss > 0.95 * chance > 0.0 else ""

    @property
    def is_result(self) -> bool:
        """Whether it did what it was to do, be it that nothing came of it."""
        return self.mark in ("", "stuck")

    @property
    def share(self) -> float:
        """Of the training examples, that its train loss is of, see `run_files.share`."""
        return run_files.share(self.config)

    def told(self, row: Mapping[str, Any], figure: str) -> float | None:
        """A figure of one of its lines: a cost, a metric, or a loss, see `losses`.

        None where it is not there: the loss of another share of the examples is not.
        """
        name, _, share = figure.partition(" ")
        if name == LOSS and self.share != float(share or 1.0):
            return None
        return amount(row, name)


def read(folder: pathlib.Path) -> list[Result]:
    """Every run in `folder` and below, by name; those without a metrics line left out.

    So is one whose files are damaged, which is told.
    """
    results = []
    for name, path in every_run(folder):
        try:
            config = flatten(run_files.config(path / "config.json"))
            metrics = run_files.metrics(path)
            loss = [LOSS] if run_files.share(config) else []
            rows = run_files.rows(path / "metrics.jsonl", [*metrics, *loss])
            if rows:
                ended = _ended(path / "summary.json", config, rows)
                failed = (path / "failure.txt").exists()
                told = metrics, run_files.labels(path)
                results.append(Result(name, config, rows, ended, failed, *told))
        except (ValueError, RecursionError) as error:
            console.tell(f"{path} is left out: {' '.join(str(error).split())}")
    return results


def without_a_line(folder: pathlib.Path) -> dict[str, str]:
    """The runs in `folder` and below that have no metrics line: name -> why.

    That is "failed" or "not begun".
    """
    return {
        name: "failed" if (path / "failure.txt").exists() else "not begun"
        for name, path in every_run(folder)
        if "\n" not in run_files.text(path / "metrics.jsonl")
    }


def every_run(folder: pathlib.Path) -> list[tuple[str, pathlib.Path]]:
    """(name, folder) of each run; `folder` itself may be one."""
    paths = sorted(path.parent for path in folder.glob("**/config.json"))
    names = [path.relative_to(folder).as_posix() for path in paths]
    own = folder.resolve().name
    names = [own if name == "." else name for name in names]
    # A name that is not UTF-8 could be neither printed nor written.
    names = [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]
    return list(zip(names, paths, strict=True))


def _ended(path: pathlib.Path, config: dict, rows: list[dict]) -> dict[str, Any]:
    """The summary, unless it is that of fewer rounds than the run is to have."""
    summary = run_files.summary(path)
    last = rows[-1]["round"]
    if summary.get("round") != last:
        return {}
    if not summary["stopped"] and config["rounds"] > last:
        return {}
    run_files.require_whole(summary)
    return summary


def cost_to(result: Result, target: float, key: str) -> float | None:
    """`key` at the first evaluation whose metric is as good; None if there is none.

    The metric is the one that runs are compared by: at `target`, or above it where higher
    values are better, or below it where lower ones are.
    """
    name, sign = result.metric, 1 if result.metrics[result.metric] == "higher" else -1
    told = (row for row in result.rows if row[name] is not None)
    good = (row for row in told if sign * row[name] >= sign * target)
    return next((amount(row, key) for row in good), None)


def amount(row: Mapping[str, Any], key: str) -> float | None:
    """A figure of a line of metrics, None where there is none; "bits" is both links'."""
    if key == "bits":
        return row["uplink_bits"] + row["downlink_bits"]
    return row.get(key)


def losses(results: Iterable[Result]) -> list[str]:
    """The train losses of all runs: "train_loss", "train_loss 0.05" of a sample."""
    shares = dict.fromkeys(result.share for result in results)
    return [LOSS if share == 1.0 else f"{LOSS} {share:g}" for share in shares if share]


def label(figure: str) -> str:
    """What stands at an axis or above a column of it."""
    name, _, share = figure.partition(" ")
    return words(name, float(share or 1.0)) if name == LOSS else heading(name)
