"""The command line as it was typed."""

import itertools
import pathlib
import shlex
import sys


def command() -> str:
    """The command line that runs this run, or goes on with it."""
    return shlex.join([*_program(), *sys.argv[1:]])


def usage() -> str:
    """How the command that was typed is given a config."""
    words = itertools.takewhile(lambda arg: not arg.startswith("-"), sys.argv[1:])
    typed = shlex.join([*_program(), *words])
    return f"{typed} --config=FILE [--workdir=DIR] [--config.OPTION=VALUE]"


def _program() -> list[str]:
    """What was typed before the arguments: python -m MODULE, python FILE.py, or flq."""
    spec = sys.modules["__main__"].__spec__  # of python -m; a script has none
    if spec:
        return ["python", "-m", spec.name]
    script = pathlib.Path(sys.argv[0])
    return ["python", sys.argv[0]] if script.suffix == ".py" else [script.name]
