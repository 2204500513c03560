"""A run's checkpoints, as a command speaks of them."""

from typing import Any

from flq_jax.simulation.checkpoints import Checkpoints, NotThisRuns

from ..process.errors import ConfigError


def restored(checkpoints: Checkpoints, like: Any) -> tuple[int, Any, dict] | None:
    """The newest whole one, see `Checkpoints`; `ConfigError` if they are another run's."""
    try:
        return checkpoints.restore(like)
    except NotThisRuns as error:
        raise ConfigError(f"--workdir: {error}") from error
