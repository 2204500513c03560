"""One page about the runs in a folder, and the tables and figures of a paper.

    python -m experiments.report --workdir=runs
    python -m experiments.report --workdir=runs --runs='laq*,flq*' --targets=0.85,0.9
    python -m experiments.report --workdir=runs --format=tex,pdf,csv --width=3.5 \\
        --columns=test_accuracy,uplink_bits_to,bits_to

It writes into the folder what --format names: report.html, report.md, report.tex (to be
\\input, with booktabs), a pdf or svg for each curve, report.csv and curves.csv with all the
numbers. --runs takes names and patterns of runs or groups, --columns the table's columns, of
which a wrong name lists all, --targets the values whose costs it tells; without them what half
of the groups reach.
"""

import fnmatch
from collections.abc import Sequence

from absl import app, flags, logging

from .options import command_line
from .process import console
from .process.errors import ConfigError, one_line_errors
from .process.whole_files import replacing
from .reading import bands, columns, grouping, publish, results
from .reading.page import Report
from .reading.results import Result
from .reading.targets import targets

_FORMAT = flags.DEFINE_list(
    "format", ["html", "md"], f"What to write, of {', '.join(publish.FORMATS)}."
)
_COLUMNS = flags.DEFINE_list(
    "columns", None, "Of the table, by name; METRIC.lastK: mean of K evaluations."
)
_BAND = flags.DEFINE_enum("band", "sd", list(bands.BANDS), "Around the curves.")
_WIDTH = flags.DEFINE_float("width", 3.5, "Inches, of a pdf or svg.", 1.0, 20.0)
_CAPTION = flags.DEFINE_string("caption", "", "Of the table in LaTeX.")
_LABEL = flags.DEFINE_string("label", "", "Of the table in LaTeX.")


@one_line_errors(OSError)
def main(argv: list[str]) -> None:
    """Writes the report on the runs in --workdir."""
    del argv
    logging.set_verbosity(logging.WARNING)  # fontTools tells of every glyph
    folder = command_line.workdir()
    command_line.refuse_all_but("workdir", "runs", "targets")
    require_formats(_FORMAT.value)
    found = results.read(folder)
    runs = matching(found, command_line.wanted())
    groups = grouping.grouped(runs)
    if not groups:
        raise ConfigError(f"--workdir: no run with a metrics line in {folder}")
    aims = targets(groups, *command_line.targets())
    chosen = columns.usual(groups, aims)
    if _COLUMNS.value is not None:
        chosen = columns.chosen(_COLUMNS.value, groups, aims)
    left_out = {} if command_line.wanted() else grouping.left_out(folder, found)
    report = Report(folder.resolve().name, groups, chosen, left_out, _BAND.value)
    how = {"width": _WIDTH.value, "caption": _CAPTION.value, "label": _LABEL.value}
    for name, content in publish.written(report, _FORMAT.value, **how).items():
        with replacing(folder / name) as file:
            file.write(content)
        console.tell(f"{folder / name}")


def require_formats(names: Sequence[str]) -> None:
    """Raises `ConfigError` unless each is one of the formats."""
    for name in names or [""]:
        if name not in publish.FORMATS:
            raise ConfigError(
                f"--format: must be of {', '.join(publish.FORMATS)}, got {name!r}"
            )


def matching(runs: Sequence[Result], patterns: Sequence[str]) -> list[Result]:
    """The runs whose own name or whose group's fits one of the patterns; without any, all.

    Raises:
        ConfigError: nothing fits one of them.
    """
    names = {
        run.name: (run.name, group.name)
        for group in grouping.grouped(runs)
        for run in group.results
    }
    fit = {
        pattern: {
            name
            for name, both in names.items()
            if any(fnmatch.fnmatchcase(each, pattern) for each in both)
        }
        for pattern in patterns
    }
    for pattern, found in fit.items():
        if not found:
            there = ", ".join(dict.fromkeys(both[1] for both in names.values()))
            raise ConfigError(f"--runs: no run fits {pattern!r}; there are {there}")
    wanted = set().union(*fit.values()) if patterns else {run.name for run in runs}
    return [run for run in runs if run.name in wanted]


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
