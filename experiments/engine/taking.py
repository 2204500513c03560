"""Taking a run's folder: by one process, and for all processes of a simulation alike."""

import contextlib
from collections.abc import Callable
from typing import Any

from ..folder import claim
from ..folder.record import Job
from ..process import peers
from ..process.errors import ConfigError


class Unusable(ConfigError):
    """A run's folder is damaged, or can't be written to."""


def in_use(take: Callable[[], Any]) -> str:
    """Has the first of us take a run: why it can't, or an empty string.

    All of several processes must ask, and have the same answer but for its words.

    Raises:
        Unusable: its folder does not let it.
        ConfigError: the run can't be had by anyone.
    """
    reason, refused = None, None
    try:
        if peers.first_of_us():
            take()
    except claim.InUse as error:
        reason = str(error)
    except claim.Damaged as error:
        refused = Unusable(str(error))
    except ConfigError as error:
        refused = error
    except OSError as error:
        refused = Unusable(f"--workdir: {error}")
    for kind in (Unusable, ConfigError):
        if peers.any_of_us(type(refused) is kind):
            raise refused or kind("--workdir: the first process can't use it")
    if peers.any_of_us(reason is not None):
        return reason or "--workdir: it is in use"
    return ""


def hold(run: Job, held: contextlib.ExitStack) -> str:
    """Takes a run's folder for as long as `held` is open: why it can't, or nothing.

    Since it was prepared another process may have left another config there.
    """

    def take():
        held.enter_context(claim.held(run.folder))
        claim.claim(run.folder, run.config)

    return in_use(take)


def prepare(run: Job) -> None:
    """Makes the run's folder; what is damaged in one of a sweep is its own misfortune."""
    try:
        claim.prepare(run.folder, run.config)
    except claim.Damaged:
        if not run.name:
            raise
