"""Where a result comes from: command, versions, machine."""

import importlib.metadata
import platform
import shlex
import sys
from typing import Any

import jax

PACKAGES = ("flq_jax", "jax", "jaxlib", "flax", "optax", "numpy")


def provenance() -> dict[str, Any]:
    """The command line, the versions of what ran it, and the device."""
    device = jax.devices()[0]
    return {
        "command": command(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "device": f"{device.platform} ({device.device_kind}) x {jax.device_count()}",
    }


def command() -> str:
    """The command line that runs this run, or goes on with it."""
    return shlex.join(["python", "-m", "experiments.main", *sys.argv[1:]])
