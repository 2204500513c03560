"""One page about the runs in a folder, with everything in it that it needs."""

import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
from matplotlib import colormaps, rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..process.metric_text import aim, heading, is_share, scaled, shown, words
from . import results
from .figures import NAME
from .results import Group, Result
from .run_files import MOST_CLIENTS

COSTS = {
    "round": "rounds",
    "uplink_bits": "uplink bits",
    "seconds": "seconds",
    "joules": "joules",
}


def written(
    groups: list[Group],
    title: str,
    targets: Mapping[str, float],
    left_out: Mapping[str, str] = {},
) -> dict[str, str]:
    """The report's files: name -> text.

    Args:
        groups: at least one.
        title: the page's heading.
        targets: what costs are reported of, see `summary_table`.
        left_out: the runs that are in no group: name -> why.
    """
    table = summary_table(groups, targets)
    runs = [result for group in groups for result in group.results]
    html = _template().render(
        title=title,
        shown=shown,
        questions=unique(run.summary.get("about", "") for run in runs),
        table=table,
        marks=[(run.name, run.mark) for run in runs if run.mark] + [*left_out.items()],
        curves=[
            curve(groups, key, label, *figure)
            for key, label in present(groups).items()
            for figure in figures_of(groups)
        ],
        splits={name: dots(found) for name, found in splits_of(runs).items()},
        most=MOST_CLIENTS,
        legend=list(zip([group.name for group in groups], colours(groups))),
        differences=results.differences(groups),
        names=[group.name for group in groups],
        runs=runs,
    )
    return {"report.html": html, "report.md": results.markdown(table)}


def present(groups: list[Group]) -> dict[str, str]:
    """The costs that every run has measured."""
    runs = [result for group in groups for result in group.results]
    return {k: v for k, v in COSTS.items() if all(k in run.rows[-1] for run in runs)}


def metrics_of(groups: list[Group]) -> list[str]:
    """The metrics of all runs, each once."""
    runs = [result for group in groups for result in group.results]
    return unique(name for run in runs for name in run.metrics)


def shares_of(groups: list[Group]) -> list[float]:
    """The shares of the examples that train losses are of, each once; none of 0."""
    return unique(run.share for group in groups for run in group.results)


def figures_of(groups: list[Group]) -> list[tuple[str, float]]:
    """What is drawn against each cost: losses by their shares, and metrics."""
    losses = [("train_loss", share) for share in shares_of(groups)]
    return losses + [(name, 1.0) for name in metrics_of(groups)]


def summary_table(groups: list[Group], targets: Mapping[str, float]) -> list[list[str]]:
    """A header and a line for each group: final figures, and the costs of `targets`.

    The second column has what to beware of: why a run is no result, and how many messages
    were about vectors beyond their grid's range. What a group's runs are not judged by is
    left empty.

    Args:
        groups: of runs.
        targets: metric -> its value whose cost is told, of runs compared by that metric.
    """
    costs, metrics, shares = present(groups), metrics_of(groups), shares_of(groups)
    ends = {k: f"final {v}" for k, v in costs.items() if k != "round"}
    losses = [words("train_loss", share) for share in shares]
    header = ["runs", "", "rounds", *losses, *map(heading, metrics), "uploads"]
    header += [*ends.values(), "downlink bits"]
    header += ["worst tenth of clients"] if (worst := of_worst(groups)) else []
    header += [
        f"{label} to {aim(metric, value)}"
        for metric, value in targets.items()
        for label in costs.values()
    ]
    lines = [header]
    for group in groups:
        last = [result.rows[-1] for result in group.results]

        def of(key, digits=".4g", last=last):
            return results.mean_sd([row[key] for row in last], digits)

        marks = unique(result.mark for result in group.results)
        overloads = [row.get("overloads", 0) for row in last]
        if any(overloads):
            marks.append(f"overloads {results.mean_sd(overloads, '.0f')}")
        seeds = f" × {len(last)}" if len(last) > 1 else ""
        line = [group.name + seeds, ", ".join(marks), of("round", ".0f")]
        mine = group.results[0].share
        line += [of("train_loss") if share == mine else "" for share in shares]
        line += [at_the_end(group, name) for name in metrics]
        line += [of("uploads", ".0f")]
        line += [of(key) for key in (*ends, "downlink_bits")]
        line += [worst[len(lines) - 1]] if worst else []
        for metric, value in targets.items():
            line += [cost(group, metric, value, key) for key in costs]
        lines.append(line)
    return lines


def at_the_end(group: Group, metric: str) -> str:
    """Mean and deviation of a metric, in its heading's unit; empty where there is none."""
    judged = [result for result in group.results if metric in result.metrics]
    values = [scaled(metric, result.rows[-1][metric]) for result in judged]
    return (
        results.mean_sd(values, ".2f" if is_share(metric) else ".4g") if values else ""
    )


def of_worst(groups: list[Group]) -> list[str]:
    """The metric of the worst tenth of clients, a text a group; [] if no run tells it."""
    texts = []
    for group in groups:
        told = [
            run.summary["clients"] for run in group.results if "clients" in run.summary
        ]
        share = any(is_share(each["metric"]) for each in told)
        values = [scaled(each["metric"], each["worst_tenth"]) for each in told]
        texts.append(results.mean_sd(values, ".2f" if share else ".4g") if told else "")
        texts[-1] += " %" if share else ""
    return texts if any(texts) else []


def cost(group: Group, metric: str, value: float, key: str) -> str:
    """What it took to reach a value of the metric that the runs are compared by."""
    compared = [result for result in group.results if result.metric == metric]
    costs = [results.cost_to(result, value, key) for result in compared]
    return results.mean_sd(costs) if costs else ""


def curve(
    groups: list[Group], key: str, label: str, figure: str, share: float = 1.0
) -> str:
    """One figure against a cost, one colour a group and one line a seed, as SVG.

    Args:
        groups: what to draw; a run that is no result is dashed.
        key: the cost, a key of the metrics' lines.
        label: of the abscissa.
        figure: "train_loss" or a metric.
        share: of the examples that the loss is of; runs of another one are left out.
    """
    with rc_context({"svg.hashsalt": "flq_jax", "font.size": 9.0}):
        canvas = Figure(figsize=(4.6, 3.3), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.subplots()
        for group, colour in zip(groups, colours(groups)):
            for run in group.results:
                if figure == "train_loss" and run.share != share:
                    continue
                rows = [row for row in run.rows if row.get(figure) is not None]
                axes.plot(
                    [row[key] for row in rows],
                    [row[figure] for row in rows],
                    color=colour,
                    linestyle="--" if run.mark else "-",
                    marker="o" if len(rows) == 1 else None,
                    markersize=3,
                    linewidth=1.3,
                    alpha=0.9 if len(group.results) == 1 else 0.6,
                )
        axes.set_xlabel(label)
        axes.set_ylabel(words(figure, share), **NAME)
        axes.set_xscale("linear" if key == "round" else "log")
        axes.set_yscale("log" if figure == "train_loss" else "linear")
        axes.grid(alpha=0.25)
        return _svg(canvas)


def splits_of(runs: list[Result]) -> dict[str, Sequence[Sequence[int]]]:
    """The splits that differ, by the name of the first run with it."""
    found: dict[str, Sequence[Sequence[int]]] = {}
    for run in runs:
        if run.labels and run.labels not in found.values():
            found[run.name] = run.labels
    return found


def dots(labels: Sequence[Sequence[int]]) -> str:
    """Examples by client and label, a dot each as large as they are many, as SVG."""
    most = max(max(line) for line in labels) or 1
    there = [
        (client, label, 120.0 * count / most)
        for client, line in enumerate(labels)
        for label, count in enumerate(line)
        if count
    ]
    with rc_context({"svg.hashsalt": "flq_jax", "font.size": 9.0}):
        canvas = Figure(figsize=(4.6, 3.3), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.subplots()
        axes.scatter(*(zip(*there) if there else ([], [])), alpha=0.7, linewidths=0)
        axes.set(xlabel="client", ylabel="label")
        return _svg(canvas)


def _svg(canvas: Figure) -> str:
    text = io.StringIO()
    canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def colours(groups: list[Group]) -> list[str]:
    """A colour for each group; the twenty there are come again after the twentieth."""
    palette = colormaps["tab20" if len(groups) > 10 else "tab10"].colors
    return [to_hex(palette[i % len(palette)]) for i in range(len(groups))]


def unique(values: Any) -> list[str]:
    """The values that are not empty, each once, in their order."""
    return [value for value in dict.fromkeys(values) if value]


def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(pathlib.Path(__file__).parent)
    return jinja2.Environment(autoescape=True, loader=loader).get_template(
        "report.html"
    )
