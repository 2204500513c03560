"""What the server of a config's run works with, and leaves in the run's folder."""

import functools
import os
import pathlib
import time
from collections.abc import Callable

import jax
import numpy as np

from flq_jax.flower.rounds import Round
from flq_jax.flower.server_app import Service
from flq_jax.remote import Server, elsewhere
from flq_jax.simulation.progress import counted

from ..assembly.stacked_runs import looping, stacked
from ..engine import clients_figures, host_loop
from ..folder.record import Job, Record
from ..process import console
from ..process.whole_files import write_json
from . import history
from .identity import identity

SERVING = "serving.json"  # the server's process, and how it ended


def service(job: Job, deadline_s: float, wait_s: float) -> Service:
    """The rounds that the job's folder still wants, each of them saved as it is done.

    Args:
        job: the run, whose folder nobody else has.
        deadline_s, wait_s: see `Service`.
    """
    stack, (run,) = stacked([job.config], job.dataset)
    judge = functools.partial(clients_figures.judging(stack, [job], [run]), 0)
    clients = job.config.clients
    run = run._replace(state=elsewhere(run.state, clients))
    record = Record(job, run, judge)
    target = host_loop.stop_at(job, run) if record.wanted else -np.inf
    _, measure = looping(stack, [job.config], [target])
    history.begin(job.folder, record.progress.rounds)
    rounds = job.config.rounds if record.wanted else record.progress.rounds
    return Service(
        server=Server(run.federation, run.links, run.root, run.partition.sizes),
        identity=identity(job.config, job.dataset),
        state=record.progress.state,
        begin=record.progress.rounds,
        rounds=rounds,
        each=_keeping(record, run.links, measure, target),
        deadline_s=deadline_s,
        wait_s=wait_s,
    )


def _keeping(
    record: Record, links, measure: Callable, target: float
) -> Callable[[Round], bool]:
    """Takes down every round: whether the run wants a further one."""
    begin, config = time.monotonic(), record.job.config

    def each(done: Round) -> bool:
        nonlocal begin
        metrics = jax.tree.map(lambda leaf: np.asarray(leaf)[None], done.metrics)
        progress = counted(record.progress, links, metrics, 1)
        progress = progress._replace(state=done.state)
        if metrics.loss[0] <= target:
            stopped = f"residual {config.stop.residual:g} reached"
            progress = progress._replace(stopped=stopped)
        history.add(record.job.folder, line(done))
        for m, why in sorted(done.left_out.items()):
            console.tell(f"round {done.index}: client {m} left out: {why}")
        for m in sorted(done.anew):
            console.tell(f"round {done.index}: client {m} had lost its memory")
        last = not progress.wanted(config.rounds)
        if last or progress.rounds % config.log.every == 0:
            (row,) = measure([progress])
            share, begin = time.monotonic() - begin, time.monotonic()
            record.add(progress, row, share)
        else:
            record.progress = progress
        record.save()
        record.close()
        return record.wanted

    return each


def line(done: Round) -> dict:
    """What the history keeps of a round."""
    return {
        "round": done.index,
        "asked": list(done.asked),
        "there": sorted(done.there),
        "anew": sorted(done.anew),
        "left_out": {str(m): why for m, why in sorted(done.left_out.items())},
        "bytes": {
            "up_frames": done.up_bytes,
            "messages": done.messages,
            "down_frame": done.down_bytes,
        },
    }


def leave_word(folder: pathlib.Path, **said: object) -> None:
    """Leaves word of this process: the rounds that it begins with, how it ended."""
    write_json(folder / SERVING, {"process": os.getpid(), **said})
