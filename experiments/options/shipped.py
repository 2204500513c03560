"""The configs that come with the package, by name: mnist_laq, paper/table1."""

import functools
import glob
import os
import pathlib

from flq_jax.configs import default
from flq_jax.expressions.nearest import did_you_mean

FOLDER = pathlib.Path(default.__file__).parent


@functools.cache
def names() -> tuple[str, ...]:
    """Those there are, sorted."""
    files = [path.relative_to(FOLDER) for path in FOLDER.rglob("[!_]*.py")]
    return tuple(sorted(file.with_suffix("").as_posix() for file in files))


def path(given: str) -> str:
    """The file that is meant by what was given: itself, or else the config of that name."""
    if given in names() and not os.path.isfile(given):
        return str(FOLDER / f"{given}.py")
    return given


def nearest(given: str) -> str:
    """The end of an error message: the file or the name that is nearest, or nothing.

    Of `configs/mnist_laq.py`, where there is no such folder, it is `mnist_laq`.
    """
    folder = os.path.dirname(given)
    beside = glob.glob(os.path.join(glob.escape(folder), "*.py"))
    name = given.removeprefix("configs/").removesuffix(".py")
    return did_you_mean(given, beside) or did_you_mean(name, names())
