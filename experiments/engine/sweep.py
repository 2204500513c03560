"""An experiment is a list of runs; a single run is a list of one."""

import contextlib
import pathlib
import traceback
from collections.abc import Iterable, Mapping, Sequence

import jax
from ml_collections import ConfigDict

from flq_jax.data import DataError
from flq_jax.data.dataset import Dataset

from ..assembly.build import split
from ..assembly.check import require_fit
from ..assembly.memory import memory, require_room
from ..assembly.setting import dataset_of
from ..folder import claim
from ..folder.provenance import provenance
from ..folder.record import Job
from ..process import console, peers, room
from ..process.errors import ConfigError
from ..process.signals import Interrupted
from ..process.whole_files import replace
from ..reading import grouping, results, run_files
from ..reading.table import summary_table
from ..reading.targets import targets
from . import agreement, host_loop, taking
from .gathering import data_text, stacks, without_seed

# Values of whatever metric, and those of metrics by name.
Aims = tuple[Sequence[float], Mapping[str, Sequence[float]]]


def prepared(
    configs: dict[str, ConfigDict],
    folder: pathlib.Path,
    digests: Mapping[str, str] = {},
) -> list[Job]:
    """Reads the data and makes the folders of all runs, before the first one starts.

    Runs that another process has are told and left to it, and those of equal configs are
    told. One of a sweep whose folder is damaged stays in the list, and fails by itself.

    Args:
        configs: name -> config, validated.
        folder: what the runs' folders lie in.
        digests: of the data that runs were submitted with, by name.

    Raises:
        ConfigError: a config asks for more clients than examples, or for a split that
            they do not allow, or for minibatches far larger than any client's share, or for
            a model that does not take them or is too large to be counted, or for more memory
            than there is, or a folder
            can't be written to or holds another config, or one process of several is to
            watch a client or was started with other data than those submitted or than
            the other processes, or every run is in use.
        DataError: a data set can't be read.
    """
    for config in configs.values():
        if config.log.study != "none":
            peers.require_alone("log.study", config.log.study)
    datasets, fit, runs = loaded(configs.values()), set(), []
    for name, config in configs.items():
        where = data_text(config)
        dataset = datasets[where]
        if (then := digests.get(name, dataset.digest)) != dataset.digest:
            raise ConfigError(
                "config.data: must be the examples that were submitted, SHA-256 "
                f"{then[:12]}..., got {dataset.digest[:12]}..."
            )
        shares = split(config, dataset)
        asked = where, without_seed(config), max(map(len, shares))
        if asked not in fit:
            state = require_fit(config, dataset, map(len, shares))
            needs = memory(config, dataset, shares, state)
            require_room(name, needs, room.available())
            fit.add(asked)
        runs.append(Job(name, config, dataset, folder / name))
    agreement.tell_repeats(configs)
    why_not = [taking.in_use(lambda run=run: taking.prepare(run)) for run in runs]
    if all(why_not):
        raise claim.InUse(why_not[0])
    for reason in filter(None, why_not):
        console.tell(f"{reason}, and left to it")
    return [run for run, reason in zip(runs, why_not, strict=True) if not reason]


def loaded(configs: Iterable[ConfigDict]) -> dict[str, Dataset]:
    """Every data set once, `data_text` -> it; the same for all processes."""
    datasets, unread = {}, None
    try:
        for config in configs:
            where = data_text(config)
            if where not in datasets:
                datasets[where] = dataset_of(config)
    except (DataError, ConfigError) as error:
        unread = error
    if peers.any_of_us(unread is not None):
        raise unread or DataError(
            "config.data: another process can't read the examples"
        )
    agreement.require_same_data(datasets)
    return datasets


def run_all(runs: Sequence[Job], most: int = 8, aims: Aims = ((), {})) -> list[str]:
    """Runs them: finished ones are skipped, interrupted ones go on.

    Runs that are alike are one program on the device, and held while that goes on; those
    that another process has by then are left to it. A run that fails leaves its
    traceback in `failure.txt` and does not stop the others, be it the only one that
    was chosen; a config that is no sweep raises.

    Args:
        runs: what `prepared` returned.
        most: runs of one program.
        aims: the values whose costs the table at the end tells, see `targets`.

    Returns:
        The names of those that failed.

    Raises:
        Interrupted: one of `signals.SIGNALS` came, and runs are left.
    """
    provenance()  # before files and checkout change
    if [run.name for run in runs] == [""]:
        alone(*runs)
        return []
    wanted = [run for run in runs if not finished(run)]
    done, failures, late = len(runs) - len(wanted), [], []
    for jobs in stacks(wanted, most):
        place = (
            f"{done + 1} of" if len(jobs) == 1 else f"{done + 1}-{done + len(jobs)} of"
        )
        console.tell(f"{', '.join(job.name for job in jobs)} ({place} {len(runs)})")
        with contextlib.ExitStack() as held:
            mine, damaged = taken(jobs, held)
            failures += damaged + (failing(mine, late) if mine else [])
        done += len(jobs)
        if late and done < len(runs):
            raise Interrupted(late[0], where="between runs, nothing is lost")
    console.told("table", show)(runs, aims)
    return failures


def alone(run: Job) -> None:
    """Runs a config that is no sweep, and shows its end; `ConfigError` if it can't."""
    with contextlib.ExitStack() as held:
        if reason := taking.hold(run, held):
            raise claim.InUse(reason)
        try:
            end = host_loop.train(run.config, run.dataset, run.folder)
        except OSError as error:
            if jax.process_count() > 1:
                raise
            raise ConfigError(
                f"--workdir: {run.folder}: {error.strerror or error}; the same command "
                "goes on from the last checkpoint"
            ) from error
        console.told("table", console.summary_table)(end)


def show(runs: Sequence[Job], aims: Aims = ((), {})) -> None:
    """Prints the table of the runs, those of other processes left out."""
    folders = sorted(run.folder for run in runs)
    groups = grouping.grouped(r for folder in folders for r in results.read(folder))
    if groups:
        console.table(summary_table(groups, targets(groups, *aims)))


def taken(
    jobs: Sequence[Job], held: contextlib.ExitStack
) -> tuple[list[Job], list[str]]:
    """The runs that are still wanted and free, held from here on; others are told.

    Beside them the names of those whose folders are damaged or can't be written to.
    """
    mine, damaged = [], []
    for job in jobs:
        try:
            reason = taking.hold(job, held)
        except taking.Unusable as error:
            console.tell(f"{job.name} failed: {error}")
            damaged.append(job.name)
            continue
        if reason:
            console.tell(f"{reason}, and left to it")
        elif not finished(job, tell=False):
            mine.append(job)
    return mine, damaged


def failing(jobs: Sequence[Job], late: list[str]) -> list[str]:
    """Runs them together, and one by one if that fails: the names of those that do.

    The name of a signal that comes when those that go on are at their ends is put into
    `late`, and no other is begun.
    """
    for job in jobs:
        with contextlib.suppress(OSError):
            (job.folder / "failure.txt").unlink(missing_ok=True)
    try:
        host_loop.train_together(jobs, too_late=late.append)
    except Exception as error:
        if jax.process_count() > 1:  # they would go on out of step
            raise
        what = " ".join(repr(error).split())[:200]
        if len(jobs) > 1:
            console.tell(f"together they failed: {what}; now one by one")
            failures = []
            for job in jobs:
                failures += [] if late else failing([job], late)
            return failures
        console.tell(f"{jobs[0].name} failed: {what}{noted(jobs[0])}")
        return [jobs[0].name]
    return []


def noted(job: Job) -> str:
    """Leaves the traceback of what is being handled; what a line says of that."""
    note = job.folder / "failure.txt"
    try:
        replace(note, traceback.format_exc())
    except OSError as error:  # the disk may be full
        return f"; {note} can't be written: {error.strerror}"
    return f"; see {note}"


def finished(run: Job, tell: bool = True) -> bool:
    """Whether the run has done all the rounds that its config asks for.

    A damaged summary says nothing of it, which is told: the run ends anew.
    """
    try:
        end = run_files.summary(run.folder / "summary.json")
    except ValueError as error:
        if tell:
            console.tell(f"{run.folder}: {error}; it is written anew")
        return False
    return run_files.is_finished(end, run.config.rounds)
