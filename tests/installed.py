"""The wheel: built, installed, and called from a folder of the user's."""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
BESIDE = ("experiments", "configs", "benchmarks")  # of flq_jax, in a clone


def call(args, cwd, timeout=300, **environment):
    """What Python came to with these arguments."""
    return subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def built(source, folder):
    """The wheel's file, built from a copy in `source`: a build leaves folders behind."""
    for file in filter(pathlib.Path.is_file, ROOT.iterdir()):
        shutil.copy(file, source)
    for name in ("flq_jax", *BESIDE):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    options = ("--no-deps", "--no-build-isolation", "--quiet")
    done = call(["-m", "pip", "wheel", *options, "-w", folder, source], folder)
    assert done.returncode == 0, done.stderr
    (file,) = folder.iterdir()
    return file


def install(wheel, folder):
    """Installs the wheel, and nothing else, in the folder."""
    options = ("--no-deps", "--quiet", "--disable-pip-version-check")
    done = call(["-m", "pip", "install", *options, "--target", folder, wheel], folder)
    assert done.returncode == 0, done.stderr
