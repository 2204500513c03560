"""A sweep in several processes: here, and on a real Slurm where there is one."""

import importlib.util
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from absl.testing import flagsaver
from running import sweep_of_seeds

from flq_jax.experiments import launch
from flq_jax.experiments.options import command_line
from flq_jax.experiments.process import signals

ROOT = pathlib.Path(__file__).parent.parent.parent
SWEEP = sweep_of_seeds(
    "Seeds, long enough to be interrupted.",
    "seed",
    "config.log.every = config.log.checkpoint_every = 5",
)


def start(folder, *extra):
    (folder / "seeds.py").write_text(SWEEP)
    args = [
        sys.executable, "-m", "experiments.launch", f"--config={folder}/seeds.py",
        f"--workdir={folder}/runs", "--together=1", *extra,
    ]  # fmt: skip
    return subprocess.run(args, cwd=ROOT, capture_output=True, text=True, check=False)


def rounds(folder, seed):
    return json.loads((folder / f"runs/seed{seed}/summary.json").read_text())["round"]


def test_what_is_queued_runs_as_it_was_submitted(tmp_path, monkeypatch):
    """The config file is half edited when the process starts."""
    (tmp_path / "seeds.py").write_text(SWEEP)
    folder, lines = tmp_path / "runs", []
    argv = ["launch", f"--config={tmp_path}/seeds.py", f"--workdir={folder}"]
    argv += ["--config.rounds=5", "--together=3"]
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(launch, "here", lambda wanted, _: lines.extend(wanted) or [0])
    with flagsaver.flagsaver():
        command_line.parse(argv)
        launch.launch(folder)
    (line,) = lines
    assert line[-2:] == ["--together=3", "--runs=seed0,seed1"]
    (tmp_path / "seeds.py").write_text(SWEEP.replace("(0, 1)", "(0, 1"))
    before = (folder / "seed1/config.json").read_bytes()
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert rounds(tmp_path, 0) == rounds(tmp_path, 1) == 5
    assert (folder / "seed1/config.json").read_bytes() == before
    summary = json.loads((folder / "seed1/summary.json").read_text())
    assert summary["about"] == "Seeds, long enough to be interrupted."
    assert summary["command"].endswith("--config.rounds=5 --together=3")


def test_a_run_that_is_no_sweep_s_has_no_name_in_its_command():
    with flagsaver.flagsaver():
        command_line.parse_flags(["launch"])
        file, folder = pathlib.Path("a.json"), pathlib.Path("runs/a")
        (line,) = launch.commands(file, folder, [[""]])
    assert not any(arg.startswith("--runs") for arg in line)


def test_the_processes_run_the_same_package_as_the_command():
    with flagsaver.flagsaver():
        command_line.parse_flags(["launch"])
        file, folder = pathlib.Path("a.json"), pathlib.Path("runs/a")
        (line,) = launch.commands(file, folder, [["b"]])
    assert line[:3] == [sys.executable, "-m", "flq_jax.experiments.main"]


def test_processes_have_cores_of_their_own_without_any_program_s_help(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))  # neither taskset nor env
    show = "import os; print(sorted(os.sched_getaffinity(0)), file=open({!r}, 'a'))"
    log = str(tmp_path / "cores")
    wanted = [[sys.executable, "-c", show.format(log)]] * 5
    assert launch.here(wanted, cores=1) == [0] * 5
    places = [json.loads(line) for line in pathlib.Path(log).read_text().splitlines()]
    assert len(places) == 5 and all(len(place) == 1 for place in places)
    assert launch.here([[sys.executable, "-c", "raise SystemExit(3)"]], cores=99) == [3]


def test_a_task_s_command_does_not_hear_what_slurm_sends_to_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    signals_itself = "import os, signal; os.kill(os.getpid(), signal.{})"
    task = launch.Task([sys.executable, "-c", signals_itself.format("SIGUSR2")])
    assert task() == 0
    killed = launch.Task([sys.executable, "-c", signals_itself.format("SIGUSR1")])
    with pytest.raises(RuntimeError, match=f"exit status -{signal.SIGUSR1:d}"):
        killed()


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_is_passed_on_and_starts_nothing_more(number, tmp_path):
    """The first command signals us, and saves when it is told to end."""
    saves = (
        "import os, pathlib, signal, sys, time\n"
        "def save(*_):\n    pathlib.Path({0!r}).write_text('saved'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "os.kill(os.getppid(), {1:d})\ntime.sleep(99)"
    )
    wanted = [
        [sys.executable, "-c", saves.format(str(tmp_path / str(i)), number)]
        for i in range(3)
    ]
    with pytest.raises(signals.Interrupted, match="with 2 of 3 processes not") as end:
        launch.here(wanted, cores=99)
    assert end.value.status == 128 + number
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert (tmp_path / "0").read_text() == "saved"


@pytest.mark.more
def test_a_sweep_is_run_here_and_not_again(tmp_path):
    first = start(tmp_path, "--config.rounds=5")
    assert first.returncode == 0, first.stderr
    assert rounds(tmp_path, 0) == rounds(tmp_path, 1) == 5
    assert "all 2 runs are finished" in start(tmp_path, "--config.rounds=5").stdout
    wrong = start(tmp_path, "--runs=seed7")
    assert wrong.returncode == 2 and "--runs: no run seed7; did you" in wrong.stderr


def slurm(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def until(holds):
    deadline = time.monotonic() + 400  # Slurm lets a requeued task wait two minutes
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.skipif(
    not (shutil.which("sbatch") and importlib.util.find_spec("submitit")),
    reason="needs Slurm's sbatch and the extra [slurm]",
)
def test_an_array_that_is_preempted_is_requeued_and_resumes(tmp_path):
    done = start(tmp_path, "--on=slurm", "--memory_gb=1", "--config.rounds=3000")
    assert done.returncode == 0, done.stderr
    array = done.stdout.split("jobs ")[1].split("_")[0]
    until(lambda: list(tmp_path.glob("runs/seed0/checkpoints/*0")))
    # What a preemption, or the end of its time, sends to a task.
    slurm("scancel", "--signal=USR2", f"{array}_0")
    until(lambda: not slurm("squeue", "--noheader", f"--jobs={array}").strip())
    assert rounds(tmp_path, 0) == rounds(tmp_path, 1) == 3000
    logs = "".join(path.read_text() for path in tmp_path.glob("runs/slurm/*_0_*.out"))
    assert "SIGTERM: stopped after round" in logs and "resuming after round" in logs
    assert (tmp_path / "runs/seed0/metrics.jsonl").read_text().count("\n") == 600
