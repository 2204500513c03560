"""The nearest name to a wrong one."""

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: Any, names: Iterable[str], prefix: str = "") -> str:
    """The end of an error message: the nearest of `names`, or nothing.

    A bare last part (bits) finds all options that end in it (compressor.bits).
    """
    names, name = list(names), str(name)
    last = [other.rpartition(".")[2] for other in names]
    near = difflib.get_close_matches(name, names, n=1)
    if "." not in name:
        near = [n for n, end in zip(names, last) if end == name] or near
        if not near:
            ends = difflib.get_close_matches(name, last, n=1, cutoff=0.75)
            near = [n for n, end in zip(names, last) if end in ends]
    return f"; did you mean {' or '.join(prefix + n for n in near)}?" if near else ""
