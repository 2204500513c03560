"""The host's loop around the jitted rounds: log, checkpoint, stop, resume."""

import functools
import math
import pathlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
from ml_collections import ConfigDict

from flq_jax.data.dataset import Dataset

from ..assembly.build import Run
from ..assembly.stacked_runs import looping, stacked
from ..folder.claim import resolve
from ..folder.record import Job, Record
from ..process import console, peers
from ..process.signals import Interrupt, Interrupted
from .optimum import kept, least_loss


def train(
    config: ConfigDict, dataset: Dataset, workdir: pathlib.Path
) -> dict[str, Any]:
    """Runs a single experiment, a stack of one: see `train_together`."""
    (summary,) = train_together([Job("", config, dataset, workdir)])
    return summary


def train_together(
    jobs: Sequence[Job],
    vmapped: bool | None = None,
    too_late: Callable[[str], None] = lambda name: None,
) -> list[dict[str, Any]]:
    """Runs experiments from where their folders have them to their ends.

    They are one program on the device, and each has its own folder as though it had
    been alone; of the seconds that they take together each is charged its share.

    Args:
        jobs: one or more, which are `alike`.
        vmapped: see `over_runs`.
        too_late: called with the name of a signal that came when all runs were at their
            ends; whoever would begin others must not.

    Returns:
        The summaries, as they are left in `summary.json`.

    Raises:
        Interrupted: one of `signals.SIGNALS` came; the same call goes on from there.
    """
    begin = time.monotonic()
    configs = [job.config for job in jobs]
    stack, runs = stacked(configs, jobs[0].dataset)
    records = [Record(job, run) for job, run in zip(jobs, runs, strict=True)]
    targets = [
        stop_at(record.job, run) if record.wanted else -math.inf
        for record, run in zip(records, runs, strict=True)
    ]
    for record in records:
        if not record.wanted:
            record.finish()
    advance, measure = looping(stack, configs, targets, vmapped)
    try:
        with Interrupt() as interrupt:
            came = _rounds(records, interrupt, advance, measure, begin)
            going = [record for record in records if record.wanted]
            for record in going:
                record.save()
                record.close()
            came = peers.signal_to_any(came or interrupt.requested)
    except Exception:
        if jax.process_count() == 1:  # else it would wait for processes that are gone
            for record in records:
                record.close()
        raise
    if going:
        raise Interrupted(came, min(record.progress.rounds for record in going))
    if came:
        too_late(came)
    return [record.summary() for record in records]


def _rounds(
    records: Sequence[Record],
    interrupt: Interrupt,
    advance: Callable,
    measure: Callable,
    begin: float,
) -> str:
    """All rounds that are wanted; the name of a signal that came to any of us, or ""."""
    with _bar(records) as show:
        while not (came := peers.signal_to_any(interrupt.requested)) and (
            going := [record for record in records if record.wanted]
        ):
            reached = advance([record.progress for record in records])
            rows = measure(reached)
            share = (time.monotonic() - begin) / len(going)
            begin = time.monotonic()
            for record, progress, row in zip(records, reached, rows, strict=True):
                record.add(progress, row, share)
            show(going[0].row)
    return came


def _bar(records: Sequence[Record]) -> AbstractContextManager:
    """The progress bar of runs, named after the first one."""
    first, *others = records
    title = first.job.folder.name + (f" + {len(others)}" if others else "")
    done = min(record.progress.rounds for record in records)
    return console.progress(title, first.job.config.rounds, done)


def stop_at(job: Job, run: Run) -> float:
    """The loss at which the run stops: f* + residual, or minus infinity."""
    residual, optimum = job.config.stop.residual, job.config.stop.optimum
    if not residual:
        return -math.inf
    if not optimum:
        # The folder may have been another config's, see `claim`.
        config = resolve(job.config)
        of = {"data": job.dataset.digest, "partition": run.partition.digest}
        of |= {"task": config["task"], "model": config["model"]}
        path = job.folder / "optimum.json"
        optimum = kept(path, of, functools.partial(least_loss, run))
    console.tell(f"f* = {optimum:.9f}; stops at f - f* <= {residual:g}")
    return optimum + residual
