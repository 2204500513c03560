"""Where a result comes from: command, versions, machine; taken once, at the start."""

import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax

from ..options import command_line
from ..process import surroundings

PACKAGES = ("flq_jax", "jax", "jaxlib", "flax", "optax", "numpy")
# Of a run that a version began which did not note it in checkpoints.
NOT_RECORDED = {"source": "not recorded", "versions": {}, "device": "not recorded"}
ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def provenance() -> dict[str, Any]:
    """What the run is about, its command, source, versions, JAX's settings, device.

    It is what this process began with, whatever becomes of files and checkout since.
    """
    device = jax.devices()[0]
    return {
        **command_line.origin(),
        "source": source(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "settings": surroundings.settings(),
        "device": f"{device.platform} ({device.device_kind}) x {jax.device_count()}",
    }


def since(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The provenance of a run that one process began and another goes on with.

    Args:
        before: the run's so far; empty if this process begins it.
        now: this process's.

    Returns:
        `now`, and under "earlier" those of other sources, versions or devices.
    """
    origin = ("source", "versions", "device")
    earlier = before.get("earlier", [])
    if before and any(before[part] != now[part] for part in origin):
        earlier = [*earlier, {part: before[part] for part in origin}]
    return {**now, "earlier": earlier} if earlier else dict(now)


def version(name: str) -> str:
    """A package's version; its files may lie beside its dependencies uninstalled."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def source() -> str:
    """The git commit of this code, and whether it was changed since.

    It is that of the checkout whose root holds this package, not of a repository which
    an environment lies in; without one, what pip noted when it installed the package.
    """
    return checkout(ROOT) or installed() or "not under git"


def checkout(root: pathlib.Path) -> str:
    """The commit checked out at `root`; empty if it is no repository's root."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*args):
        return subprocess.run(
            ["git", *args],
            cwd=root,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=60,
        ).stdout.strip()

    try:
        if pathlib.Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return ""
        git("ls-files", "--error-unmatch", "experiments/folder/provenance.py")
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return f"{commit} and changes to it" if changed else commit


def installed() -> str:
    """The commit, or else the address, that pip installed this code from, or empty."""
    try:
        package = importlib.metadata.distribution("flq_jax")
        here = package.locate_file("flq_jax/experiments/folder/provenance.py")
        if pathlib.Path(here).resolve() != pathlib.Path(__file__).resolve():
            return ""  # another copy is installed
        noted = json.loads(package.read_text("direct_url.json") or "{}")
        commit = noted.get("vcs_info", {}).get("commit_id", "")
        return f"{commit} of {noted['url']}" if commit else noted.get("url", "")
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, LookupError):
        return ""
    except (AttributeError, TypeError):  # JSON, but no such note
        return ""
