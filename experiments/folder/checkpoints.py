"""A run's checkpoints, as a command speaks of them."""

from flq_jax.compressors import Compressor
from flq_jax.federated import State
from flq_jax.simulation import resuming
from flq_jax.simulation.checkpoints import Checkpoints, NotThisRuns

from ..process.errors import ConfigError


def restored(
    checkpoints: Checkpoints, uplink: Compressor, like: State
) -> tuple[int, State, dict] | None:
    """The newest whole one, see `resuming`; `ConfigError` if they are another run's."""
    try:
        return resuming.restored(checkpoints, uplink, like)
    except NotThisRuns as error:
        raise ConfigError(f"--workdir: {error}") from error
