"""What happened in each round of a deployment: `rounds.jsonl` in the run's folder."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from flq_jax.remote import Happened

from ..process import whole_files

NAME = "rounds.jsonl"


def begin(folder: pathlib.Path, rounds: int) -> None:
    """Keeps the lines of the first `rounds` rounds alone: the run goes on from there."""
    kept = lines(folder)[:rounds]
    whole_files.replace(
        folder / NAME, "".join(json.dumps(line) + "\n" for line in kept)
    )


def add(folder: pathlib.Path, line: dict[str, Any]) -> None:
    """Appends the line of a round."""
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def lines(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Those that are there and whole."""
    path = folder / NAME
    if not path.exists():
        return []
    found = []
    for text in whole_files.text(path).splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:  # the last one, when the process was killed
            break
    return found


def happened(found: Sequence[dict[str, Any]]) -> list[Happened]:
    """The same, as `replaying` takes it."""
    return [Happened(frozenset(a["there"]), frozenset(a["anew"])) for a in found]
