"""The metrics as TensorBoard event files, for those who installed the extra."""

import importlib.util
import pathlib
from collections.abc import Callable
from typing import Any

from ..process.errors import ConfigError


def require_installed() -> None:
    """Raises `ConfigError` unless the extra is there."""
    if importlib.util.find_spec("tensorboardX") is None:
        raise ConfigError(
            "config.log.tensorboard: needs the extra: pip install -e '.[tensorboard]'"
        )


def scalars(
    workdir: pathlib.Path, first_round: int
) -> Callable[[dict[str, Any]], None]:
    """Writes each figure of a metrics row, into `workdir/tensorboard`.

    Args:
        workdir: the run's folder.
        first_round: where the run goes on; what was written beyond it is superseded.
    """
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(workdir / "tensorboard"), purge_step=first_round + 1)

    def write(row: dict[str, Any]) -> None:
        for name, value in row.items():
            if name != "round" and value is not None:
                writer.add_scalar(name, value, row["round"])
        writer.flush()

    return write
