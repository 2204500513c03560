"""The files that a run leaves, read back: whole, or a ValueError in one line."""

import json
import pathlib
from typing import Any

from ..process import whole_files

NUMBER = (int, float)
# What each reader of a summary finds in it: name -> its kind.
KINDS = {
    "round": int,
    "stopped": str,
    "command": str,
    "source": str,
    "device": str,
    "wall_seconds": NUMBER,
    "versions": dict,
    "data": dict,
    "partition": dict,
    "bits": dict,
}
# What the table at a run's end shows beside these.
SHOWN = {
    "name": str,
    "train_loss": (*NUMBER, type(None)),
    "test_accuracy": NUMBER,
    "uploads": int,
    "uplink_bits": int,
    "downlink_bits": int,
    "accounting": dict,
}
# What a line of metrics has at least; what else it has are numbers.
ROW = {
    "round": int,
    "train_loss": (*NUMBER, type(None)),
    "test_accuracy": NUMBER,
    "uploads": int,
    "uplink_bits": int,
    "downlink_bits": int,
}


def load(path: pathlib.Path) -> dict[str, Any]:
    """The object in a JSON file, UTF-8; ValueError, in one line, if there is none."""
    try:
        found = json.loads(whole_files.text(path))
        json.dumps(found, ensure_ascii=False).encode()  # JSON may hold half a character
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name}: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004 as for broken JSON
            f"{path.name}: must be an object, got {found!r:.40}"
        )
    return found


def text(path: pathlib.Path) -> str:
    """What is there of a file; what is no UTF-8 is replaced."""
    return path.read_text("utf-8", "replace") if path.is_file() else ""


def config(path: pathlib.Path) -> dict[str, Any]:
    """The options in a run's config file, by group."""
    found = load(path)
    if isinstance(found.get("compressor"), dict):
        raise ValueError(  # noqa: TRY004 as for broken JSON
            "config.json: is an earlier version's, with options where expressions are now"
        )
    require(found, {"rounds": int}, path.name)
    require({"seed": 0, **found}, {"seed": int}, path.name)
    return found


def rows(path: pathlib.Path) -> list[dict[str, Any]]:
    """The whole lines of a metrics file; one that is being written is none yet.

    Raises:
        ValueError: one is no object of numbers, or has other names than the first one.
    """
    lines = text(path).splitlines(keepends=True)
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        where = f"{path.name}: line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: {error}") from error
        if not isinstance(row, dict) or (found and row.keys() != found[0].keys()):
            raise ValueError(f"{where} is not one of metrics: {row!r:.40}")
        require(row, dict.fromkeys(row, (*NUMBER, type(None))) | ROW, where)
        found.append(row)
    return found


def summary(path: pathlib.Path) -> dict[str, Any]:
    """A run's summary; empty where there is none.

    Raises:
        ValueError: it is damaged: no JSON object, or without the round it ended at.
    """
    found = load(path) if path.exists() else {}
    if found:
        require(found, {name: KINDS[name] for name in ("round", "stopped")}, path.name)
    return found


def require_whole(found: dict[str, Any]) -> None:
    """Raises ValueError unless it has all that a report reads."""
    require(found, KINDS, "summary.json")
    require(found["data"], {"classes": NUMBER}, "summary.json: data")
    if found["data"]["classes"] < 1:
        raise ValueError(
            f"summary.json: classes must be 1 or more, got {found['data']}"
        )
    require(found["partition"], {"sizes": list}, "summary.json: partition")
    links = dict.fromkeys(found["bits"], dict)
    require(found["bits"], links, "summary.json: bits")
    for link, ways in found["bits"].items():
        require(ways, dict.fromkeys(ways, NUMBER), f"summary.json: bits of {link}")
    defaults = {"about": "", "earlier": []}
    require({**defaults, **found}, {"about": str, "earlier": list}, "summary.json")


def require(found: dict[str, Any], kinds: dict[str, Any], where: str) -> None:
    """Raises ValueError unless `found` has values of these kinds, numbers within f64."""
    for name, kind in kinds.items():
        value = found.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(  # noqa: TRY004 likewise
                f"{where}: {name} is missing or no such value: {value!r:.40}"
            )
        if isinstance(value, NUMBER) and not abs(value) < 1e300:
            raise ValueError(f"{where}: {name} must be finite, got {value!r:.40}")


def is_finished(end: dict[str, Any], rounds: int) -> bool:
    """Whether it tells the end of a run that was to have so many rounds."""
    return bool(end) and (bool(end["stopped"]) or end["round"] >= rounds)


def ended(path: pathlib.Path, rounds: int) -> dict[str, Any] | None:
    """The whole summary of a run that ended after so many rounds, or None."""
    try:
        found = summary(path)
        require(found, SHOWN, path.name)
        require_whole(found)
    except ValueError:
        return None
    return found if found["round"] == rounds else None
