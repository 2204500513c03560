"""Where a result comes from: command, versions, machine."""

import importlib.metadata
import pathlib
import platform
import subprocess
import sys
from typing import Any

import jax

from ..options import command_line

PACKAGES = ("flq_jax", "jax", "jaxlib", "flax", "optax", "numpy")


def provenance() -> dict[str, Any]:
    """What the run is about, its command, the source and versions, the device."""
    file = command_line.config_file(sys.argv)
    device = jax.devices()[0]
    return {
        "about": command_line.about(file) if file else "",
        "command": command_line.command(),
        "source": source(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "device": f"{device.platform} ({device.device_kind}) x {jax.device_count()}",
    }


def source() -> str:
    """The git commit of this code, and whether it was changed since."""
    here = pathlib.Path(__file__).parent

    def git(*args):
        done = subprocess.run(
            ["git", *args],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not under git"
    return f"{commit} and changes to it" if changed else commit
