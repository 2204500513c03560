"""Draws what runs reach against what they send, a line for each method.

python -m experiments.main --config=configs/paper/methods.py --workdir=runs/methods \\
    --runs=sgd-seed0,qsgd-seed0,ef_sign-seed0,drive-seed0,top_k-seed0,slaq-seed0,flq_binary-seed0
python docs/accuracy_by_bits.py --workdir=runs/methods --svg=docs/images/accuracy_by_bits.svg
"""

from absl import app, flags
from matplotlib.figure import Figure

from flq_jax.docs import drawing
from flq_jax.experiments.options import command_line
from flq_jax.experiments.reading import grouping, page, results

_SVG = flags.DEFINE_string("svg", "docs/images/accuracy_by_bits.svg", "The SVG file.")


def drawn(groups: list[grouping.Group]) -> Figure:
    """Test accuracy against uplink bits; a method's name stands in the legend."""
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    axes = figure.subplots()
    for group, colour in zip(groups, page.colours(groups), strict=True):
        for number, run in enumerate(group.results):
            axes.plot(
                [row["uplink_bits"] for row in run.rows],
                [100 * row["test_accuracy"] for row in run.rows],
                color=colour,
                label=None if number else group.name.partition("-")[0],
            )
    axes.set(xscale="log", xlabel="uplink bits", ylabel="test accuracy (%)")
    axes.set_ylim(80.0, None)
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right", fontsize=8)
    return figure


def main(argv: list[str]) -> None:
    """Draws the runs in --workdir."""
    del argv
    groups = grouping.grouped(results.read(command_line.workdir()))
    drawing.write_svg(drawn(groups), _SVG.value)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
