"""The configs that come with the package, by name: mnist_laq, paper/table1."""

import pathlib

from flq_jax.configs import default

from .names import did_you_mean

FOLDER = pathlib.Path(default.__file__).parent


def names() -> list[str]:
    """Those there are, sorted."""
    files = [path.relative_to(FOLDER) for path in FOLDER.rglob("[!_]*.py")]
    return sorted(file.with_suffix("").as_posix() for file in files)


def path(given: str) -> str:
    """The file that is meant by what was given: itself, or else the config of that name."""
    if not pathlib.Path(given).is_file() and given in names():
        return str(FOLDER / f"{given}.py")
    return given


def nearest(given: str) -> str:
    """The end of an error message: the file or the name that is nearest, or nothing.

    Of `configs/mnist_laq.py`, where there is no such folder, it is `mnist_laq`.
    """
    beside = [str(other) for other in pathlib.Path(given).parent.glob("*.py")]
    name = given.removeprefix("configs/").removesuffix(".py")
    return did_you_mean(given, beside) or did_you_mean(name, names())
