"""The files that a run leaves, read back: whole, or a ValueError in one line."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from flq_jax.simulation.metric import BETTER

from ..process import whole_files
from ..process.metric_text import ACCURACY

NUMBER = (int, float)
MAYBE = (*NUMBER, type(None))
SHARE = "log.train_loss"
BEGUN = "begun.json"  # what a run is judged by, and its clients' labels
MOST_CLIENTS, MOST_LABELS = 50, 100  # of whose labels it tells
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
    "uploads": int,
    "uplink_bits": int,
    "downlink_bits": int,
    "accounting": dict,
}
# What it may say of a metric over the clients.
CLIENTS = {
    "metric": str,
    "examples": str,
    "clients": int,
    "mean": MAYBE,
    "worst_tenth": MAYBE,
}
# What a line of metrics has at least; what else it has are numbers.
ROW = {
    "round": int,
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


def share(options: Mapping[str, Any]) -> float:
    """Of the training examples, that a run's train loss is of; 0: it has none.

    Args:
        options: of its config, by name. Earlier versions knew the loss of all alone.

    Raises:
        ValueError: it is no number.
    """
    found = {SHARE: 1.0, **options}
    require(found, {SHARE: NUMBER}, "config.json")
    return found[SHARE]


def metrics(folder: pathlib.Path) -> dict[str, str]:
    """What a run is judged by, name -> "higher" or "lower", first what compares it.

    Runs that do not say so are of versions that knew test_accuracy alone.

    Raises:
        ValueError: they are no such names.
    """
    for name in ("summary.json", BEGUN):
        said = load(folder / name) if (folder / name).exists() else {}
        if "metrics" in said:
            _require_metrics(said, name)
            return said["metrics"]
    return {ACCURACY: BETTER[0]}


def labels(folder: pathlib.Path) -> list[list[int]]:
    """Examples by client and label, of the first clients; [] where nobody says so.

    Raises:
        ValueError: they are no such numbers.
    """
    said = load(folder / BEGUN).get("labels", []) if (folder / BEGUN).exists() else []
    known = isinstance(said, list) and len(said) <= MOST_CLIENTS
    for line in said if known else ():
        known &= isinstance(line, list) and 1 < len(line) <= MOST_LABELS
        known = known and all(type(n) is int and 0 <= n < 1e15 for n in line)
        known = known and len(line) == len(said[0])
    if not known:
        raise ValueError(
            f"{BEGUN}: labels must be counts by client and label, got {said!r:.40}"
        )
    return said


def _require_metrics(found: dict[str, Any], where: str) -> None:
    said = found["metrics"]
    known = isinstance(said, dict) and all(which in BETTER for which in said.values())
    if not said or not known:
        raise ValueError(
            f"{where}: metrics must be names with {' or '.join(BETTER)}, got {said!r:.40}"
        )


def rows(path: pathlib.Path, metrics: Iterable[str]) -> list[dict[str, Any]]:
    """The whole lines of a metrics file; one that is being written is none yet.

    Args:
        path: of the file.
        metrics: names that each line has to have, of numbers or null.

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
        require(row, dict.fromkeys((*row, *metrics), MAYBE) | ROW, where)
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
    least = int("metrics" not in found)  # 0 of data whose targets are numbers
    if found["data"]["classes"] < least:
        raise ValueError(
            f"summary.json: classes must be {least} or more, got {found['data']}"
        )
    require(found["partition"], {"sizes": list}, "summary.json: partition")
    links = dict.fromkeys(found["bits"], dict)
    require(found["bits"], links, "summary.json: bits")
    for link, ways in found["bits"].items():
        require(ways, dict.fromkeys(ways, NUMBER), f"summary.json: bits of {link}")
    if "clients" in found:
        require(found, {"clients": dict}, "summary.json")
        require(found["clients"], CLIENTS, "summary.json: clients")
    defaults = {"about": "", "earlier": []}
    require({**defaults, **found}, {"about": str, "earlier": list}, "summary.json")


def require(found: dict[str, Any], kinds: dict[str, Any], where: str) -> None:
    """Raises ValueError unless `found` has values of these kinds, numbers within f64."""
    for name, kind in kinds.items():
        value = found.get(name)
        if name not in found or not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(
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
        told = {"train_loss_share": 1.0, **found}
        require(told, {"train_loss_share": NUMBER}, path.name)
        losses = ["train_loss"] if told["train_loss_share"] else []
        judged = dict.fromkeys([*metrics(path.parent), *losses], MAYBE)
        require(found, SHOWN | judged, path.name)
        require_whole(found)
    except ValueError:
        return None
    return found if found["round"] == rounds else None
