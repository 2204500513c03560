"""The metrics of a run: JSON lines, and the same as CSV."""

import csv
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any


class MetricsLog:
    """A line per evaluated round, on disk as soon as it is written.

    Args:
        workdir: the run's folder; `metrics.jsonl` and `metrics.csv` lie in it.
        rows: the lines of an interrupted run up to its checkpoint; what it wrote after
            that is cut off, since the run goes on from there.
    """

    def __init__(self, workdir: pathlib.Path, rows: Sequence[dict[str, Any]] = ()):
        self._jsonl = workdir / "metrics.jsonl"
        self._csv = workdir / "metrics.csv"
        self.rows: list[dict[str, Any]] = []
        _replace(self._jsonl, "")
        _replace(self._csv, "")
        for row in rows:
            self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        """Appends a line; ValueError if it has other keys than the first one."""
        if self.rows and list(row) != list(self.rows[0]):
            raise ValueError(
                f"MetricsLog: keys must be {list(self.rows[0])}, got {list(row)}"
            )
        with self._jsonl.open("a") as file:
            file.write(json.dumps(row) + "\n")
        with self._csv.open("a", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if not self.rows:
                writer.writeheader()
            writer.writerow(row)
        self.rows.append(row)


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` as JSON; a reader sees the old file or the new one, whole."""
    _replace(path, json.dumps(value, indent=2) + "\n")


def _replace(path: pathlib.Path, text: str) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
