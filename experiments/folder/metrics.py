"""The metrics of a run: JSON lines, and the same as CSV."""

import csv
import io
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from ..process.whole_files import replace


class MetricsLog:
    """A line per evaluated round, on disk as soon as it is written.

    Args:
        workdir: the run's folder; `metrics.jsonl` and `metrics.csv` lie in it.
        rows: the lines of an interrupted run up to its checkpoint; what it wrote after
            that is cut off, since the run goes on from there. Either file is replaced
            in one step: killed at any time, it is the old one or the new one, whole.
    """

    def __init__(self, workdir: pathlib.Path, rows: Sequence[dict[str, Any]] = ()):
        self._jsonl = workdir / "metrics.jsonl"
        self._csv = workdir / "metrics.csv"
        self.rows = list(rows)
        replace(self._jsonl, _jsonl(rows))
        replace(self._csv, _csv(rows, header=True))

    def write(self, row: dict[str, Any]) -> None:
        """Appends a line; ValueError if it has other keys than the first one."""
        if self.rows and list(row) != list(self.rows[0]):
            raise ValueError(
                f"MetricsLog: keys must be {list(self.rows[0])}, got {list(row)}"
            )
        with self._jsonl.open("a", encoding="utf-8") as file:
            file.write(_jsonl([row]))
        with self._csv.open("a", newline="", encoding="utf-8") as file:
            file.write(_csv([row], header=not self.rows))
        self.rows.append(row)


def _jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _csv(rows: Sequence[dict[str, Any]], header: bool) -> str:
    if not rows:
        return ""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
