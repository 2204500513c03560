"""Several processes that hold one simulation: what one of them knows, all may ask."""

import jax
import numpy as np
from jax.experimental import multihost_utils


def first_of_us() -> bool:
    """Whether this is the process that writes files and talks to the user."""
    return jax.process_index() == 0


def gathered(rows: np.ndarray) -> np.ndarray:
    """Every process's rows along the leading axis, in the order of the processes."""
    if jax.process_count() == 1:
        return rows
    return multihost_utils.process_allgather(rows, tiled=True)


def any_of_us(here: bool) -> bool:
    """Whether it holds in some process; all must ask, and wait for each other."""
    return bool(gathered(np.array([here])).any())
