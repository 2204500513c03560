"""Values of metrics whose cost a table tells."""

import math

from absl import flags

from ..process.metric_text import is_share
from .results import Group

TARGET = flags.DEFINE_float(
    "target", None, "Value of the runs' first metric whose cost is told."
)
flags.register_validator(
    "target",
    lambda value: value is None or math.isfinite(value),
    "must be a finite number",
)
DEFAULT = 0.9  # of an accuracy; no other metric has one


def targets(
    groups: list[Group], accuracy: float | None = None, target: float | None = None
) -> dict[str, float]:
    """The value whose cost is told, of each metric that some run is compared by.

    Args:
        groups: of the runs.
        accuracy: that of accuracies, in [0, 1]; None: `target`, or else 0.9.
        target: that of other metrics; None: their costs are not told.
    """
    found = {}
    for metric in [run.metric for group in groups for run in group.results]:
        choices = [accuracy, target, DEFAULT] if is_share(metric) else [target]
        for value in [value for value in choices if value is not None][:1]:
            found[metric] = value
    return found
