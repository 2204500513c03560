"""Nothing outlasts who started it."""

import subprocess
import sys
import time

from flq_jax.experiments.deployment.fleet import members

KILLED = """
import os, pathlib, signal, subprocess, sys

from flq_jax.experiments.deployment.fleet import FLEET, Fleet, Tls

home = pathlib.Path(sys.argv[1])
with Fleet(home, home / "logs", Tls()):
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=os.environ | {FLEET: str(home)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sys.stdout.write("here")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_left_by_a_command_that_was_killed_is_ended(tmp_path):
    """A worker that watches nobody, in a session of its own."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert (killed.stdout, killed.returncode) == (b"here", -9)
    end = time.monotonic() + 60
    while members(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert not members(tmp_path)
