"""Tells what each run sent until it reached an accuracy, both ways, and draws the best.

python -m experiments.launch --config=configs/records/everything.py --cores=1 --workdir=runs/records
python docs/records.py --workdir=runs/records --curves=docs/records.csv --drawing=docs/images/records.svg

The file of curves has the runs of earlier calls, too: those of --workdir are put into it,
and the tables are of all. Without a folder they are of the file alone.
"""

import csv
import hashlib
import json
import pathlib
import re
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from absl import app, flags
from matplotlib.figure import Figure

from flq_jax import wire
from flq_jax.docs import drawing
from flq_jax.experiments.options import command_line
from flq_jax.experiments.reading import grouping, page, results

_CURVES = flags.DEFINE_string("curves", "", "The CSV file of all runs' lines.")
_DRAWING = flags.DEFINE_string("drawing", "", "The SVG file; none is drawn without it.")
# Of a line of metrics; before them stand the run, and how long it took once it has ended.
LINE = ("round", "test_accuracy", "uploads", "uplink_bits", "downlink_bits")
SEED = re.compile(r"-seed\d+$")
HEAD = ("run", "config", "seconds", *LINE)
TARGETS = {
    "mnist": (0.90, 0.95, 0.97, 0.98, 0.99, 0.992),
    "fashion_mnist": (0.80, 0.85, 0.88, 0.90, 0.91),
    "shakespeare": (0.20, 0.30, 0.35, 0.40, 0.45),
}
COLUMNS = ("up", "down", "both", "frames, both", "seconds")
HEADER = (
    f"| row | accuracy (%) | rounds, by seed | {' | '.join(COLUMNS)} |",
    "|" + "---|" * (3 + len(COLUMNS)),
)
WAYS = {
    "uplink bits": ("uplink_bits",),
    "uplink and downlink bits": ("uplink_bits", "downlink_bits"),
}


class Published(NamedTuple):
    """What others print for MNIST: percent, and bits in the order of `WAYS`, if they say."""

    accuracy: float
    bits: tuple[float, float | None]


PUBLISHED = {  # see docs/records.md
    "FLQ (Binary), Table I": Published(90.66, (7.54e7, 7.54e7 + 6.03e8)),
    "FedAvg in floats (DeComFL's curves)": Published(98.0, (2.78e8, None)),
    "DeComFL's scalars": Published(97.0, (2.56e7, None)),
}


class Cost(NamedTuple):
    """What a run had sent when it first reached an accuracy.

    Attributes:
        rounds, uplink, downlink: bits of payload, the broadcast once a round.
        frames: at most so many bits both have with header, check and whole bytes.
    """

    rounds: int
    uplink: int
    downlink: int
    frames: int

    @property
    def bits(self) -> int:
        """Both ways."""
        return self.uplink + self.downlink


def cost(rows: Iterable[dict], target: float) -> Cost | None:
    """The first line at or above the target; None if there is none."""
    for row in rows:
        if row["test_accuracy"] >= target:
            up, down = row["uplink_bits"], row["downlink_bits"]
            messages = row["uploads"], row["round"]
            framed = sum(map(frame_bits, (up, down), messages))
            return Cost(row["round"], up, down, framed)
    return None


def frame_bits(payload: int, messages: int) -> int:
    """At most so many bits have the frames of so many messages, `payload` bits in all."""
    return payload + messages * (7 + 8 * wire.OVERHEAD_BYTES)


def with_curves(
    runs: Iterable[results.Result], file: pathlib.Path
) -> list[results.Result]:
    """The runs and those of the file, by name; it has all of them afterwards.

    Of two with one name it is the one that has ended, or got further, the new one of equals.

    Raises:
        UsageError: they are of two configs, so that one would take the other's place.
    """
    best: dict[str, results.Result] = {}
    for run in [*kept(file), *runs]:
        before = best.get(run.name)
        if before is not None and digest(run) != digest(before):
            raise app.UsageError(
                f"--curves={file}: {run.name} is of another config there than in --workdir; "
                "give the run another name, or take its lines out of the file"
            )
        if before is None or progress(run) >= progress(before):
            best[run.name] = run
    found = [best[name] for name in sorted(best)]
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(HEAD)
        for run in found:
            told = run.name, digest(run), run.summary.get("wall_seconds", "")
            writer.writerows([*told, *map(row.get, LINE)] for row in run.rows)
    return found


def digest(run: results.Result) -> str:
    """Twelve digits that tell its config from others; a run of a file has them alone."""
    if set(run.config) == {"digest"}:
        return run.config["digest"]
    text = json.dumps(run.config, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def progress(run: results.Result) -> tuple[bool, int]:
    """(whether it has ended, its rounds)."""
    return bool(run.summary), run.rows[-1]["round"]


def kept(file: pathlib.Path) -> list[results.Result]:
    """The runs of a file of curves, without their configs; none if there is no file."""
    runs: dict[str, results.Result] = {}
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in csv.DictReader(lines):
        name, seconds = line["run"], line["seconds"]
        summary = {"wall_seconds": float(seconds)} if seconds else {}
        config = {"digest": line["config"]}
        run = runs.setdefault(name, results.Result(name, config, [], summary))
        share = {"test_accuracy": float(line["test_accuracy"])}
        counts = {key: int(line[key]) for key in LINE if key not in share}
        run.rows.append(counts | share)
    return [*runs.values()]


def by_row(runs: Iterable[results.Result]) -> list[grouping.Group]:
    """The runs whose names differ in the seed alone, in the order of their names."""
    groups: dict[str, grouping.Group] = {}
    for run in sorted(runs, key=lambda run: run.name):
        name = SEED.sub("", run.name)
        groups.setdefault(name, grouping.Group(name, {}, [])).results.append(run)
    return [*groups.values()]


def set_ups(groups: Iterable[grouping.Group]) -> dict[str, list[grouping.Group]]:
    """data, clients and split -> its rows, which are named without them there."""
    found: dict[str, list[grouping.Group]] = {}
    for group in groups:
        set_up, _, row = group.name.rpartition("-")
        found.setdefault(set_up, []).append(group._replace(name=row))
    return found


def table(group: grouping.Group, targets: Iterable[float]) -> list[str]:
    """The lines of a group in Markdown, one for each target that a seed reached, and one
    for the next; the group is named in the first."""
    found, name = [], f"`{group.name}`"
    for target in targets:
        costs = [cost(run.rows, target) for run in group.results]
        reached = [each for each in costs if each]
        columns = [(c.uplink, c.downlink, c.bits, c.frames) for c in reached]
        took = [seconds(*each) for each in zip(costs, group.results)]
        means = [
            f"{statistics.fmean(each):.3g}" if each else "-"
            for each in ([*zip(*columns)] or [()] * 4)
            + [[each for each in took if each]]
        ]
        rounds = "/".join(map(told, costs, group.results))
        found.append(f"| {name} | {100 * target:g} | {rounds} | {' | '.join(means)} |")
        name = ""
        if not reached:
            break
    return found


def seconds(found: Cost | None, run: results.Result) -> float | None:
    """That it took to get there, all rounds being alike; None of a run that has not ended."""
    if found is None or "wall_seconds" not in run.summary:
        return None
    return run.summary["wall_seconds"] * found.rounds / run.rows[-1]["round"]


def told(found: Cost | None, run: results.Result) -> str:
    """The rounds, or why there are none: a run that is not finished may get there."""
    if found:
        return str(found.rounds)
    return "never" if run.summary else "not yet"


def drawn(groups: Iterable[grouping.Group]) -> Figure:
    """Test accuracy of ten clients' runs on MNIST against bits, up and both ways, and
    published figures."""
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    groups = [group for group in groups if group.name.startswith("mnist-10-iid-")]
    for place, (axes, way) in enumerate(zip(panels, WAYS)):
        for group, colour in zip(groups, page.colours(groups), strict=True):
            for number, run in enumerate(group.results):
                axes.plot(
                    [sum(row[each] for each in WAYS[way]) for row in run.rows],
                    [100 * row["test_accuracy"] for row in run.rows],
                    color=colour,
                    label=None if number else group.name.removeprefix("mnist-10-iid-"),
                )
        for (name, published), marker in zip(PUBLISHED.items(), "*Ds", strict=True):
            if bits := published.bits[place]:
                axes.plot(bits, published.accuracy, marker, color="black", label=name)
        axes.set(xscale="log", xlabel=way)
        axes.grid(alpha=0.25)
    panels[0].set(ylabel="test accuracy (%)", ylim=(85.0, 100.0))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def main(argv: list[str]) -> None:
    """Prints the table of all runs."""
    del argv
    runs = results.read(command_line.workdir()) if flags.FLAGS.workdir else []
    if _CURVES.value:
        runs = with_curves(runs, pathlib.Path(_CURVES.value))
    groups = by_row(runs)
    for set_up, within in set_ups(groups).items():
        data = set_up.partition("-")[0]
        lines = [line for group in within for line in table(group, TARGETS[data])]
        print("\n".join(["", f"### {set_up}", "", *HEADER, *lines]))
    if _DRAWING.value:
        drawing.write_svg(drawn(groups), _DRAWING.value)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
