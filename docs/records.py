"""Tells what each run sent until it reached an accuracy, both ways, and draws the best.

python -m experiments.launch --config=configs/records/everything.py --cores=1 --workdir=runs/records
python docs/records.py --workdir=runs/records --drawing=docs/images/records.svg
"""

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

_DRAWING = flags.DEFINE_string("drawing", "", "The SVG file; none is drawn without it.")
TARGETS = {
    "mnist": (0.90, 0.95, 0.97, 0.98, 0.99),
    "fashion_mnist": (0.80, 0.85, 0.88, 0.90),
}
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


def row_of(group: grouping.Group) -> str:
    """The group's name, without the seed that stands in it where it has but one run."""
    return re.sub(r"-seed\d*$", "", group.name)


def table(group: grouping.Group, targets: Iterable[float]) -> list[str]:
    """The lines of a group in Markdown, one for each target; it is named in the first."""
    found, name = [], f"`{row_of(group)}`"
    for target in targets:
        costs = [cost(run.rows, target) for run in group.results]
        reached = [each for each in costs if each]
        columns = zip(*((c.uplink, c.downlink, c.bits, c.frames) for c in reached))
        means = [f"{statistics.fmean(each):.3g}" for each in columns] or ["-"] * 4
        rounds = "/".join(map(told, costs, group.results))
        found.append(f"| {name} | {100 * target:g} | {rounds} | {' | '.join(means)} |")
        name = ""
    return found


def told(found: Cost | None, run: results.Result) -> str:
    """The rounds, or why there are none: a run that is not finished may get there."""
    if found:
        return str(found.rounds)
    return "never" if run.summary else "not yet"


def drawn(groups: Iterable[grouping.Group]) -> Figure:
    """Test accuracy of MNIST's runs against bits, up and both ways, and published figures."""
    figure = Figure(figsize=(7.2, 5.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    groups = [group for group in groups if group.name.startswith("mnist")]
    for place, (axes, way) in enumerate(zip(panels, WAYS)):
        for group, colour in zip(groups, page.colours(groups), strict=True):
            for number, run in enumerate(group.results):
                axes.plot(
                    [sum(row[each] for each in WAYS[way]) for row in run.rows],
                    [100 * row["test_accuracy"] for row in run.rows],
                    color=colour,
                    label=None if number else row_of(group).removeprefix("mnist-"),
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
    """Prints the table of the runs in --workdir."""
    del argv
    groups = grouping.grouped(results.read(command_line.workdir()))
    print("| row | accuracy (%) | rounds, by seed | up | down | both | frames, both |")
    print("|---|---|---|---|---|---|---|")
    for group in groups:
        data = group.name.partition("-")[0]
        print("\n".join(table(group, TARGETS[data])))
    if _DRAWING.value:
        drawing.write_svg(drawn(groups), _DRAWING.value)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
