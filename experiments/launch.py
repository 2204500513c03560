"""Runs a sweep in several processes, here or on a Slurm cluster.

    python -m experiments.launch --config=configs/paper/methods.py --workdir=runs/methods
    python -m experiments.launch --config=... --workdir=... --on=slurm --partition=cpu

The runs are gathered as `experiments.main` gathers them, at most `--together` in a
process; each is that command with `--runs`, and with the configs as they are now, of
which it finds a copy in `.submitted`: the config file may change meanwhile. Here there are as many at a time as
the cores allow, `--cores` for each. On Slurm they are one job array (the extra [slurm]);
a task that is out of time or preempted saves, is requeued and goes on from there, and
the command returns as soon as the array is submitted. Finished runs are not launched
again. A signal that would have a run save comes to all processes here, as does our death:
each saves and ends.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from absl import app, flags, logging

from .options import command_line, submitted, validation
from .process import children, signals, surroundings, typed
from .process.console import tell
from .process.errors import one_line_errors

_ON = flags.DEFINE_enum("on", "here", ["here", "slurm"], "Where the processes run.")
_CORES = flags.DEFINE_integer("cores", 1, "Cores of a process.", 1)
_PARTITION = flags.DEFINE_string("partition", None, "Slurm's; none: its default.")
_MINUTES = flags.DEFINE_integer("minutes", 60, "Slurm's time limit of a task.", 1)
_MEMORY = flags.DEFINE_integer("memory_gb", 4, "Slurm's memory of a task.", 1)
_MOST = flags.DEFINE_integer("most", 100, "Tasks of the array at a time.", 1)
STOP_AHEAD_S = 60  # so long before its time is over a task is told to save
POLL_S = 0.1  # between two looks at the processes


class Task:
    """One command on a cluster: told to stop, it saves, and Slurm starts it again.

    Args:
        command: of the process.
    """

    def __init__(self, command: Sequence[str]):
        self.command = list(command)
        self._pid = 0

    def __call__(self) -> int:
        """The command's exit status; RuntimeError unless it is 0."""
        # Slurm's signal comes to all processes of a task; the task passes it on its way.
        process = children.start(self.command, deaf_to=[signal.SIGUSR2])
        self._pid = process.pid
        process.returncode = self._wait()
        if process.returncode:
            raise RuntimeError(
                f"exit status {process.returncode}: {' '.join(self.command)}"
            )
        return process.returncode

    def checkpoint(self):
        """What Slurm is to start instead, once the command has saved: the same."""
        from submitit.helpers import DelayedSubmission

        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
            self._wait()
        return DelayedSubmission(Task(self.command))

    def _wait(self) -> int:
        # Not Popen.wait: `checkpoint` is called by a signal's handler in the midst of
        # it, and would wait for its lock for ever.
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def commands(
    file: pathlib.Path, folder: pathlib.Path, runs: Sequence[Sequence[str]]
) -> list[list[str]]:
    """A command line for each list of names of runs.

    Args:
        file: what is submitted: they read no config file.
        folder: --workdir.
        runs: names of those that share a process; one empty name stands for a run that
            is not of a sweep.
    """
    base = [sys.executable, "-m", f"{__package__}.main"]
    base += [f"--submitted={file}", f"--workdir={folder}"]
    base += [f"--together={command_line.together()}"]
    return [
        [*base, f"--runs={','.join(names)}"] if any(names) else base for names in runs
    ]


def here(wanted: Sequence[Sequence[str]], cores: int) -> list[int]:
    """Runs the commands, as many at a time as there are cores for; exit statuses.

    Args:
        wanted: the commands.
        cores: of each process, which is bound to them; at most all there are.

    Raises:
        Interrupted: one of `signals.SIGNALS` came. The processes were told to end, and have,
            unless a second signal would not wait for them; the other commands were not
            started.
    """
    there = children.cores_here()
    cores = min(cores, len(there))
    free = [there[i : i + cores] for i in range(0, len(there) - cores + 1, cores)]
    queue, running, statuses = list(enumerate(wanted)), {}, [0] * len(wanted)
    # Not by exceptions: one in the midst of a start would lose sight of its process.
    with signals.Interrupt() as asked, _ending_with_us(running):
        while (queue or running) and not asked.requested:
            while queue and free:
                place, (index, command) = free.pop(0), queue.pop(0)
                running[index] = place, _bound(command, place)
            time.sleep(POLL_S)
            for index, (place, process) in list(running.items()):
                if process.poll() is not None:
                    statuses[index] = process.returncode
                    free.append(place)
                    del running[index]
    if asked.requested:
        left = f"with {len(queue)} of {len(wanted)} processes not started"
        raise signals.Interrupted(asked.requested, where=left)
    return statuses


def _bound(command: Sequence[str], place: Sequence[int]) -> subprocess.Popen:
    """Starts the command on these cores, out of reach of the terminal's signals.

    We pass them on; a process that hears Ctrl-C twice does not save.
    """
    return children.start(command, place, process_group=0)


@contextlib.contextmanager
def _ending_with_us(running: dict[int, tuple]) -> Iterator[None]:
    """Whatever ends the block ends the processes that are still running, and waits."""
    try:
        yield
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()


def on_slurm(wanted: Sequence[Sequence[str]], folder: str) -> list:
    """Submits the commands as one job array; its jobs.

    Args:
        wanted: the commands.
        folder: where Slurm's logs are written.
    """
    import submitit

    executor = submitit.SlurmExecutor(folder=folder, max_num_timeout=1000)
    executor.update_parameters(
        job_name="flq_jax",
        time=_MINUTES.value,
        mem=f"{_MEMORY.value}GB",
        cpus_per_task=_CORES.value,
        array_parallelism=_MOST.value,
        signal_delay_s=STOP_AHEAD_S,
        **({"partition": _PARTITION.value} if _PARTITION.value else {}),
    )
    with executor.batch():
        return [executor.submit(Task(command)) for command in wanted]


def main(argv: list[str]) -> None:
    """Launches what is not finished."""
    del argv
    logging.set_verbosity(logging.WARNING)
    with signals.ending(typed.command()):
        launch(command_line.workdir())


def submit(
    runs: Sequence, origin: dict[str, str], folder: pathlib.Path
) -> pathlib.Path:
    """Leaves the runs' configs as they are now, for the processes to read: the file."""
    return submitted.write(
        submitted.Submission(
            **origin,
            file=str(pathlib.Path(command_line.file()).resolve()),
            configs={run.name: run.config for run in runs},
            digests={run.name: run.dataset.digest for run in runs},
        ),
        folder,
    )


@one_line_errors(OSError)
def launch(folder: pathlib.Path) -> None:
    """Launches what is not finished of the command line's runs, which lie in the folder."""
    with one_line_errors():
        command_line.refuse_all_but("config", "workdir", "together", "runs")
        origin, configs = command_line.origin(), command_line.runs()
        for config in configs.values():
            validation.validate(config)
        surroundings.pin()
    from flq_jax.data import DataError

    from .engine import sweep

    with one_line_errors(DataError):
        runs = sweep.prepared(configs, folder)
        wanted = [run for run in runs if not sweep.finished(run)]
        stacks = sweep.stacks(wanted, command_line.together())
        names = [[run.name for run in stack] for stack in stacks]
        lines = commands(submit(wanted, origin, folder), folder, names)
    if not lines:
        elsewhere = len(configs) - len(runs)
        tell(
            f"{folder}: all {len(runs)} runs are finished"
            + f" but for {elsewhere} of another process" * bool(elsewhere)
        )
    elif _ON.value == "slurm":
        jobs = on_slurm(lines, str(folder / "slurm"))
        tell(f"{len(jobs)} tasks, jobs {', '.join(job.job_id for job in jobs)}")
    elif failed := sum(map(bool, here(lines, _CORES.value))):
        tell(f"{failed} of {len(lines)} processes failed")
        sys.exit(1)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse)
