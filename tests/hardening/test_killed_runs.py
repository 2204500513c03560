"""`kill -9` anywhere, and the same command again: the run that nobody disturbed."""

import subprocess
import time

import numpy as np
import pytest
from running import ROOT, call, command, results

pytestmark = pytest.mark.repro

# The second one solves for f* first, which is kept in a file.
NAMES = ("mnist_flq_binary", "mnist_laq", "mnist_ef_sign")
ROUNDS = "--config.rounds=300"
PLACES = 10
BEING_WRITTEN = "*orbax-checkpoint-tmp*"


def asked(name, workdir):
    """The command of the run, given over and over."""
    whole = ["--config.client=gradient(batch=0)"] if name == "mnist_laq" else []
    return command(name, workdir, ROUNDS, *whole)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """name -> (results, metrics.jsonl, seconds) of a run that nobody disturbed."""
    done = {}
    for name in NAMES:
        workdir = tmp_path_factory.mktemp(name)
        call(asked(name, workdir / "first"))  # whose programs are kept
        begin = time.monotonic()
        finished = call(asked(name, workdir / "second"))
        seconds = time.monotonic() - begin
        assert finished.returncode == 0, finished.stderr
        kept = results(workdir / "second")
        assert kept == results(workdir / "first")
        done[name] = kept, (workdir / "second/metrics.jsonl").read_bytes(), seconds
    return done


def killed(name, workdir, due):
    """Starts the run and kills it once `due(seconds)`, or finds it ended; is it so?"""
    process = subprocess.Popen(
        asked(name, workdir),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    begin = time.monotonic()
    while process.poll() is None and not due(time.monotonic() - begin):
        assert time.monotonic() < begin + 300
        time.sleep(0.001)
    process.kill()
    return process.wait() < 0


def saved(workdir):
    """The round of the newest checkpoint that was complete; 0 without one."""
    names = (path.name for path in workdir.glob("checkpoints/*"))
    return max((int(name) for name in names if name.isdigit()), default=0)


def goes_on(name, workdir, unbroken):
    """Gives the command again; the rounds that it had not to do anew."""
    expected, log, _ = unbroken[name]
    rounds, path = saved(workdir), workdir / "metrics.jsonl"
    left = path.read_bytes() if path.exists() else b""
    assert log.startswith(left) and left.count(b"\n") >= rounds // 5
    finished = call(asked(name, workdir))
    assert finished.returncode == 0 and "Traceback" not in finished.stderr
    assert "broken" not in finished.stdout
    assert (f"resuming after round {rounds}\n" in finished.stdout) == (rounds > 0)
    assert results(workdir) == expected
    assert not list(workdir.glob(f"checkpoints/{BEING_WRITTEN}"))
    return rounds


def test_killed_at_random_places_a_run_ends_as_though_it_had_not_been(
    unbroken, tmp_path
):
    shares, ended, kept = np.random.default_rng(17).random(PLACES), 0, []
    for place, share in enumerate(shares):
        name, workdir = NAMES[place % len(NAMES)], tmp_path / str(place)
        at = share * unbroken[name][2]
        ended += not killed(name, workdir, lambda seconds, at=at: seconds >= at)
        kept.append(goes_on(name, workdir, unbroken))
    print(
        f"\nkill -9 at {PLACES} random places of {len(NAMES)} configs: {PLACES} ended as "
        f"unkilled, bit for bit; they went on after rounds {kept}; {ended} had ended before"
    )


def test_killed_before_its_first_checkpoint_a_run_begins_anew(unbroken, tmp_path):
    lines = []
    for name in NAMES:
        workdir = tmp_path / name
        log = workdir / "metrics.jsonl"
        while True:
            killed(name, workdir, lambda _, log=log: log.exists())
            if not saved(workdir):
                break
            workdir = tmp_path / f"{name}-again"
            log = workdir / "metrics.jsonl"
        lines.append(log.read_bytes().count(b"\n"))
        assert goes_on(name, workdir, unbroken) == 0
    print(
        f"\nkill -9 before the first checkpoint of {len(NAMES)} configs: {len(NAMES)} ended "
        f"as unkilled, bit for bit; lines of metrics there were {lines}"
    )


def test_killed_while_a_checkpoint_is_written_a_run_ends_as_though_it_had_not_been(
    unbroken, tmp_path
):
    """At the first one, at one of the middle, and over again until it is hit."""
    kept, tries = [], 0
    for name, after in zip(NAMES, (0, 50, 150)):
        workdir = tmp_path / name

        def writing(_, workdir=workdir, after=after):
            found = list(workdir.glob(f"checkpoints/{BEING_WRITTEN}"))
            return found and saved(workdir) >= after

        while not list(workdir.glob(f"checkpoints/{BEING_WRITTEN}")):
            tries += 1
            if not killed(name, workdir, writing):
                workdir.rename(tmp_path / f"{name}-missed-{tries}")
        kept.append(goes_on(name, workdir, unbroken))
    print(
        f"\nkill -9 while a checkpoint was written, {len(NAMES)} configs: {len(NAMES)} ended "
        f"as unkilled, bit for bit; they went on after rounds {kept}; {tries} kills"
    )
