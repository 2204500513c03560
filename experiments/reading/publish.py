"""The files of a report: a page, tables and figures for a paper, numbers."""

import re
from collections.abc import Iterable, Mapping

from . import digits, drawing, formats, page
from .page import Report
from .table import lines

NO_NAME = r"[^\w.-]"  # letters of a metric that a file's name can't have
FORMATS = ("html", "md", "tex", "pdf", "svg", "csv")


def written(
    report: Report,
    wanted: Iterable[str] = ("html", "md"),
    *,
    width: float = 3.5,
    caption: str = "",
    label: str = "",
) -> dict[str, bytes]:
    """The report's files: name -> what is in it.

    Args:
        report: what is told.
        wanted: of `FORMATS`.
        width: of a figure, in inches.
        caption: of LaTeX's table.
        label: of LaTeX's table.
    """
    found: dict[str, bytes] = {}
    for form in wanted:
        if form in drawing.UNDATED:
            found |= figures(report, form, width)
        else:
            texts = _texts(report, form, caption, label)
            found |= {name: text.encode() for name, text in texts.items()}
    return found


def figures(report: Report, form: str, width: float) -> dict[str, bytes]:
    """Every curve as a figure of a paper; where groups are many, some in each of several."""
    look = drawing.in_paper(width)
    parts = drawing.facets(report.groups)
    found = {}
    for key in page.costs_of(report.runs):
        for figure in page.figures_of(report.runs):
            name = f"{re.sub(NO_NAME, '_', figure)}_by_{'rounds' if key == 'round' else key}"
            for number, some in enumerate(parts, 1):
                part = f"-{number}" if len(parts) > 1 else ""
                others = [
                    group for other in parts if other is not some for group in other
                ]
                found[f"{name}{part}.{form}"] = drawing.curve(
                    some, key, figure, others, band=report.band, look=look, form=form
                )
    return found


def _texts(report: Report, form: str, caption: str, label: str) -> Mapping[str, str]:
    groups, columns = report.groups, report.columns
    if form == "html":
        return {"report.html": page.html(report)}
    if form == "md":
        return {"report.md": formats.markdown(lines(groups, columns))}
    if form == "tex":
        cells = lines(groups, columns, digits.latex, formats.escaped)
        return {"report.tex": formats.latex(cells, caption, label)}
    costs, drawn = page.costs_of(report.runs), page.figures_of(report.runs)
    return {
        "report.csv": formats.table_csv(groups, columns),
        "curves.csv": formats.curves_csv(groups, costs, drawn, report.band),
    }
