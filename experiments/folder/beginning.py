"""What a run's folder says from the first round on, which no line of metrics has."""

import json
import pathlib

from flq_jax.tasks import Task

from ..assembly.build import Run
from ..process.whole_files import replace
from ..reading.run_files import BEGUN, MOST_CLIENTS, MOST_LABELS


def leave(folder: pathlib.Path, run: Run) -> None:
    """Writes what the run is judged by, and how many of each label clients have.

    That is so of the first `MOST_CLIENTS` clients, where targets are some classes.
    """
    said = {"metrics": directions(run.task)}
    histogram = run.partition.histogram[:MOST_CLIENTS]
    if 1 < histogram.shape[1] <= MOST_LABELS:
        said |= {"labels": histogram.tolist()}
    replace(folder / BEGUN, json.dumps(said) + "\n")


def directions(task: Task) -> dict[str, str]:
    """What a model is judged by, name -> which values are better, "higher" or "lower"."""
    named = task.metrics.items()
    return {name: getattr(metric, "better", "higher") for name, metric in named}
