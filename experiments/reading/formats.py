"""A table as Markdown and LaTeX, and the numbers of tables and curves as CSV."""

import csv
import io
import re
import statistics
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from . import bands
from .columns import Column, values
from .grouping import Group

HEADING = 16  # letters of a line of a heading
LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "×": r"$\times$", "±": r"$\pm$",
}  # fmt: skip
ACCENTS = dict(zip("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327", "`'^~\"rvc"))


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table, its first line the header, as Markdown; a cell's text is no markup."""
    cells = [[_plain(cell) for cell in line] for line in table]
    head, *lines = ["| " + " | ".join(line) + " |" for line in cells]
    return "\n".join([head, "|" + "---|" * len(table[0]), *lines]) + "\n"


def latex(table: Sequence[Sequence[str]], caption: str = "", label: str = "") -> str:
    r"""A table of LaTeX's cells, its first line the header, to be \input.

    It takes \usepackage{booktabs}. With a caption or a label it is a table that floats.

    Args:
        table: cells, see `escaped`.
        caption: a text, no LaTeX.
        label: for \ref; a name.
    """
    header, *rest = table
    head, *lines = [
        " & ".join(line) + r" \\" for line in [[*map(_stacked, header)], *rest]
    ]
    columns = "l" + "".join("l" if name == "remarks" else "r" for name in header[1:])
    inner = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule"]
    inner += [*lines, r"\bottomrule", r"\end{tabular}"]
    if caption or label:
        above = [r"\begin{table}[t]", r"\centering"]
        above += [rf"\caption{{{escaped(caption)}}}"] if caption else []
        above += [rf"\label{{{label}}}"] if label else []
        inner = [*above, *inner, r"\end{table}"]
    return "% \\usepackage{booktabs}\n" + "\n".join(inner) + "\n"


def escaped(text: str) -> str:
    """The text as LaTeX prints it; a letter that plain LaTeX lacks by its number."""
    return "".join(map(_letter, " ".join(text.split())))


def table_csv(groups: Sequence[Group], columns: Sequence[Column]) -> str:
    """A line a group: of each column mean, standard deviation and number of the values.

    They are as the runs say them, shares as shares of one. A standard deviation is of two
    values or more; of no value there is nothing but the 0.
    """
    parts = [[c.name, f"{c.name} sd", f"{c.name} n"] for c in columns]
    lines: list[list] = [["runs", "seeds", *(name for part in parts for name in part)]]
    for group in groups:
        line: list = [group.name, len(group.results)]
        for column in columns:
            there = [value for value in values(column, group) if value is not None]
            line.append(statistics.fmean(there) if there else "")
            line.append(statistics.stdev(there) if len(there) > 1 else "")
            line.append(len(there))
        lines.append(line)
    return _csv(lines)


def curves_csv(
    groups: Sequence[Group], costs: Iterable[str], figures: Iterable[str], band: str
) -> str:
    """A line for each point of each curve: where it stands, and what each seed has there.

    Args:
        groups: of runs.
        costs: keys of `COSTS`, against each of which each figure is drawn.
        figures: losses, see `results.losses`, and metrics.
        band: of `bands.BANDS`, whose ends are low and high.
    """
    seeds = sorted({_seed(run) for group in groups for run in group.results})
    head = ["runs", "figure", "cost", "round", "x", "mean", "sd", "low", "high", "n"]
    lines: list[list] = [[*head, *(f"seed {seed}" for seed in seeds)]]
    figures = list(figures)
    for group in groups:
        mine = [_seed(run) for run in group.results]
        for cost in costs:
            for figure in figures:
                for point in bands.points(group, cost, figure, band):
                    by_seed = dict(zip(mine, point.values, strict=True))
                    spread = point.sd if point.n > 1 else ""
                    lines.append(
                        [group.name, figure, cost, point.round, point.x, point.mean]
                        + [spread, point.low, point.high, point.n]
                        + [by_seed.get(seed, "") for seed in seeds]
                    )
    return _csv(lines)


def _seed(run) -> int:
    return run.config.get("seed", 0)


def _csv(lines: Iterable[Iterable]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _plain(text: str) -> str:
    """The text with what Markdown would read as markup escaped, in one line.

    An underscore within a word is none, so that most names stay as they are.
    """
    escaped = re.sub(r"[\\|`*<>\[\]&~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    return " ".join(escaped.split())


def _stacked(heading: str) -> str:
    """A heading in as many lines as keep its column narrow; a unit stays with its number."""
    parts = textwrap.wrap(
        heading.replace(r" \%", r"~\%"), HEADING,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    stacked = r" \\ ".join(parts)
    return stacked if len(parts) == 1 else rf"\shortstack[r]{{{stacked}}}"


def _letter(letter: str) -> str:
    if letter in LATEX:
        return LATEX[letter]
    if letter.isascii():
        return letter if letter.isprintable() else ""
    base, *marks = unicodedata.normalize("NFD", letter)
    if base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS:
        return rf"\{ACCENTS[marks[0]]}{{{base}}}"
    return f"[U+{ord(letter):04X}]"
