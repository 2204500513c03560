"""Values of metrics whose costs are to be told."""

import math
from collections.abc import Iterable

from ..process.errors import ConfigError


def parsed(texts: Iterable[str]) -> tuple[list[float], dict[str, list[float]]]:
    """Values of whatever metric runs are compared by, and those of each that is named.

    Args:
        texts: "VALUE" or "METRIC=VALUE".

    Raises:
        ConfigError: a value is no finite number.
    """
    asked: list[float] = []
    named: dict[str, list[float]] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ConfigError(
                "--targets: must be finite numbers, or METRIC=NUMBER, with commas between, "
                f"got {text!r}"
            )
        (named.setdefault(name, []) if name else asked).append(value)
    return asked, named
