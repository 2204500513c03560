"""An experiment is a list of runs; a single run is a list of one."""

import contextlib
import json
import pathlib
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from flq_jax.data import load

from ..assembly import stacked_runs
from ..assembly.build import split
from ..assembly.model_fit import require_countable, require_fit
from ..folder import claim
from ..folder.record import Job
from ..options import validation
from ..process import console, peers
from ..process.errors import ConfigError
from ..reading import results
from . import host_loop


def prepared(configs: dict[str, ConfigDict], folder: pathlib.Path) -> list[Job]:
    """Reads the data and makes the folders of all runs, before the first one starts.

    Runs that another process has are told and left to it.

    Raises:
        ConfigError: a config asks for more clients than examples, or for a split that
            they do not allow, or for minibatches far larger than any client's share, or for
            a model that does not take them or is too large to be counted, or a folder
            can't be written to or holds another config, or one process of several is to
            watch a client, or every run is in use.
        DataError: a data set can't be read.
    """
    datasets, sizes, runs = {}, {}, []
    for name, config in configs.items():
        if config.log.study != "none":
            peers.require_alone("log.study", config.log.study)
        where = config.data.name, config.data.dir
        if where not in datasets:
            datasets[where] = load(*where)
        labels = datasets[where].train_labels
        validation.require_samples(config, len(labels))
        validation.require_batch(config, map(len, split(config, labels)))
        if (pair := (where, repr(config.model))) not in sizes:
            sizes[pair] = require_fit(config.model, datasets[where])
        require_countable(config, sizes[pair])
        runs.append(Job(name, config, datasets[where], folder / name))
    why_not = [
        in_use(lambda run=run: claim.prepare(run.folder, run.config)) for run in runs
    ]
    if all(why_not):
        raise claim.InUse(why_not[0])
    for reason in filter(None, why_not):
        console.tell(f"{reason}, and left to it")
    return [run for run, reason in zip(runs, why_not, strict=True) if not reason]


def in_use(take: Callable[[], Any]) -> str:
    """Has the first of us take a run: why it can't, or an empty string.

    All of several processes must ask, and have the same answer but for its words.

    Raises:
        ConfigError: the run can't be had by anyone.
    """
    reason, refused = "", None
    try:
        if peers.first_of_us():
            take()
    except claim.InUse as error:
        reason = str(error)
    except ConfigError as error:
        refused = error
    if peers.any_of_us(refused is not None):
        raise refused or ConfigError("--workdir: the first process can't use it")
    if peers.any_of_us(bool(reason)):
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


def run_all(runs: Sequence[Job], most: int = 8) -> list[str]:
    """Runs them: finished ones are skipped, interrupted ones go on.

    Runs that are alike are one program on the device, and held while that goes on; those
    that another process has by then are left to it. A run that fails leaves its
    traceback in `failure.txt` and does not stop the others, be it the only one that
    was chosen; a config that is no sweep raises.

    Args:
        runs: what `prepared` returned.
        most: runs of one program.

    Returns:
        The names of those that failed.
    """
    if [run.name for run in runs] == [""]:
        (run,) = runs
        with contextlib.ExitStack() as held:
            if reason := hold(run, held):
                raise claim.InUse(reason)
            console.summary_table(host_loop.train(run.config, run.dataset, run.folder))
        return []
    wanted = [run for run in runs if not finished(run)]
    done, failures = len(runs) - len(wanted), []
    for jobs in stacks(wanted, most):
        place = (
            f"{done + 1} of" if len(jobs) == 1 else f"{done + 1}-{done + len(jobs)} of"
        )
        console.tell(f"{', '.join(job.name for job in jobs)} ({place} {len(runs)})")
        with contextlib.ExitStack() as held:
            if mine := taken(jobs, held):
                failures += failing(mine)
        done += len(jobs)
    folders = sorted(run.folder for run in runs)  # of others, other processes write
    groups = results.grouped(r for folder in folders for r in results.read(folder))
    if groups:
        from ..reading.page import summary_table  # Matplotlib and jinja2

        console.table(summary_table(groups, 0.9))
    return failures


def taken(jobs: Sequence[Job], held: contextlib.ExitStack) -> list[Job]:
    """The runs that are still wanted and free, held from here on; others are told."""
    mine = []
    for job in jobs:
        if reason := hold(job, held):
            console.tell(f"{reason}, and left to it")
        elif not finished(job):
            mine.append(job)
    return mine


def stacks(runs: Sequence[Job], most: int) -> list[list[Job]]:
    """The runs gathered by program, at most so many together, in their order."""
    groups: dict[str, list[Job]] = {}
    for run in runs:
        groups.setdefault(stacked_runs.alike(run.config, run.dataset), []).append(run)
    found = []
    for group in groups.values():
        fit = min(most, stacked_runs.most_together(group[0].config, group[0].dataset))
        found += [group[i : i + fit] for i in range(0, len(group), fit)]
    return found


def failing(jobs: Sequence[Job]) -> list[str]:
    """Runs them together, and one by one if that fails: the names of those that do."""
    notes = [job.folder / "failure.txt" for job in jobs]
    for note in notes:
        note.unlink(missing_ok=True)
    try:
        host_loop.train_together(jobs)
    except Exception as error:
        if jax.process_count() > 1:  # they would go on out of step
            raise
        if len(jobs) > 1:
            console.tell(f"together they failed: {error!r:.200}; now one by one")
            return [name for job in jobs for name in failing([job])]
        notes[0].write_text(traceback.format_exc())
        console.tell(f"{jobs[0].name} failed: {error!r:.200}; see {notes[0]}")
        return [jobs[0].name]
    return []


def finished(run: Job) -> bool:
    """Whether the run has done all the rounds that its config asks for."""
    path = run.folder / "summary.json"
    if not path.exists():
        return False
    summary = json.loads(path.read_text())
    return bool(summary["stopped"]) or summary["round"] >= run.config.rounds
