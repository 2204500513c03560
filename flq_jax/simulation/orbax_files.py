"""Orbax as the checkpoints use it: one at a time, and its failures in one line."""

import contextlib
import gc
import logging
import sys
import time
from collections.abc import Generator
from typing import Any

from flq_jax.simulation.leaves import shape


def shapes_there(folder: Any) -> dict[str, str]:
    """What a checkpoint's leaves are, by name."""
    found: Any = library().StandardCheckpointHandler().metadata(folder)
    return {name: shape(leaf) for name, leaf in dict(found).items()}


@contextlib.contextmanager
def writing() -> Generator[None]:
    """Orbax's and TensorStore's ways to say that a file can't be written, as OSError."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        line = (str(error).splitlines() or [""])[0]
        raise OSError(f"a checkpoint can't be written: {line:.200}") from error


@contextlib.contextmanager
def unheard() -> Generator[None]:
    """Leaves out what threads that still read say, when one of them has failed.

    What failed is raised; the others find their event loop closed.
    """
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        yield
    except Exception:
        time.sleep(0.2)  # until they have ended
        gc.collect()
        raise
    finally:
        sys.unraisablehook = hook


def reader() -> Any:
    """Reads one checkpoint, whatever the others are."""
    return library().Checkpointer(library().CompositeCheckpointHandler())


def library() -> Any:
    """Imported when first needed: it takes as long as many a run's first chunk."""
    import orbax.checkpoint

    logging.getLogger("absl").setLevel(logging.CRITICAL)  # what fails is raised too
    return orbax.checkpoint
