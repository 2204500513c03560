"""Tells what each run sent until it reached an accuracy, both ways, and draws the best.

python -m experiments.launch --config=configs/records/everything.py --cores=1 --workdir=runs/records
python docs/records.py --workdir=runs/records --drawing=docs/images/records.svg
"""

import pathlib
import re
import statistics
from collections.abc import Iterable
from typing import NamedTuple

from absl import app, flags
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from flq_jax import wire
from flq_jax.experiments.options import command_line
from flq_jax.experiments.reading import grouping, page, results

_DRAWING = flags.DEFINE_string("drawing", "", "The SVG file; none is drawn without it.")
TARGETS = {
    "mnist": (0.90, 0.95, 0.97, 0.98, 0.99),
    "fashion_mnist": (0.80, 0.85, 0.88, 0.90),
}
# What others print for MNIST: (uplink bits, accuracy in percent), see docs/records.md.
PUBLISHED = {
    "FLQ (Binary), Table I": (7.54e7, 90.66),
    "FedAvg in floats (DeComFL's curves)": (2.78e8, 98.0),
    "DeComFL's scalars": (2.56e7, 97.0),
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
    """The lines of a group in Markdown, one for each target that a run reaches."""
    found = []
    for target in targets:
        costs = [cost(run.rows, target) for run in group.results]
        reached = [each for each in costs if each]
        if not reached:
            continue
        means = [
            statistics.fmean(each)
            for each in zip(
                *((c.uplink, c.downlink, c.bits, c.frames) for c in reached)
            )
        ]
        rounds = "/".join(str(each.rounds) if each else "never" for each in costs)
        numbers = " | ".join(f"{mean:.3g}" for mean in means)
        found.append(f"| `{row_of(group)}` | {100 * target:g} | {rounds} | {numbers} |")
    return found


def drawn(groups: Iterable[grouping.Group]) -> Figure:
    """Test accuracy against uplink bits of MNIST's runs, published figures beside them."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    groups = [group for group in groups if group.name.startswith("mnist")]
    for group, colour in zip(groups, page.colours(groups), strict=True):
        for number, run in enumerate(group.results):
            axes.plot(
                [row["uplink_bits"] for row in run.rows],
                [100 * row["test_accuracy"] for row in run.rows],
                color=colour,
                label=None if number else row_of(group),
            )
    for (name, (bits, accuracy)), marker in zip(PUBLISHED.items(), "*Ds", strict=True):
        axes.plot(bits, accuracy, marker, color="black", label=f"published: {name}")
    axes.set(xscale="log", xlabel="uplink bits", ylabel="test accuracy (%)")
    axes.set_ylim(85.0, 100.0)
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    return figure


def main(argv: list[str]) -> None:
    """Prints the table of the runs in --workdir."""
    del argv
    groups = grouping.grouped(results.read(command_line.workdir()))
    print("| row | accuracy (%) | rounds, by seed | up | down | both | frames, both |")
    print("|---|---|---|---|---|---|---|")
    for group in groups:
        data = group.name.partition("-")[0]
        print("\n".join(table(group, TARGETS[data])) or f"| `{row_of(group)}` | none |")
    if _DRAWING.value:
        path = pathlib.Path(_DRAWING.value)
        with rc_context({"svg.hashsalt": "flq_jax"}):
            figure = drawn(groups)
            FigureCanvasSVG(figure)
            figure.savefig(path, format="svg", metadata={"Date": None})
        print(path)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
