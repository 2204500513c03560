"""The table of a folder's runs: a line a group, a column a figure."""

from collections.abc import Callable, Mapping, Sequence

from . import digits
from .columns import Column, usual, values
from .grouping import Group


def summary_table(
    groups: Sequence[Group], targets: Mapping[str, Sequence[float]]
) -> list[list[str]]:
    """The table with the columns that none has chosen, see `lines`."""
    return lines(groups, usual(groups, targets))


def lines(
    groups: Sequence[Group],
    columns: Sequence[Column],
    number: Callable[..., str] = digits.plain,
    text: Callable[[str], str] = str,
) -> list[list[str]]:
    """A header and a line for each group: mean and standard deviation over its seeds.

    If there is anything to beware of, the second column, "remarks", has it: why runs are
    no results, and what went beyond a quantizer's range or was not finite. A cell is
    empty where the group's runs know no such figure.

    Args:
        groups: of runs.
        columns: of figures.
        number: (values, share, what stands for none) -> a cell, see `digits.plain`.
        text: of what is no number, a heading or a name -> a cell.
    """
    told = [remarks(group) for group in groups]
    header = ["runs", *(["remarks"] if any(told) else [])]
    found = [[text(cell) for cell in (*header, *(each.heading for each in columns))]]
    for group, remark in zip(groups, told, strict=True):
        first = [title(group), *([remark] if any(told) else [])]
        found.append(
            [
                *map(text, first),
                *(_cell(column, group, number) for column in columns),
            ]
        )
    return found


def title(group: Group) -> str:
    """The group's name, and how many runs it has if they are several."""
    number = len(group.results)
    return f"{group.name} × {number}" if number > 1 else group.name


def remarks(group: Group) -> str:
    """What to beware of: "1 of 5 diverged", "overloads 600 ± 14"."""
    marks = [run.mark for run in group.results]
    found = []
    for mark in dict.fromkeys(filter(None, marks)):
        some = marks.count(mark) < len(marks)
        found.append(f"{marks.count(mark)} of {len(marks)} {mark}" if some else mark)
    for event in ("overloads", "diverged_clients"):
        counts = [run.rows[-1].get(event, 0) for run in group.results]
        if any(counts):
            found.append(f"{event.replace('_', ' ')} {digits.plain(counts)}")
    return ", ".join(found)


def _cell(column: Column, group: Group, number: Callable[..., str]) -> str:
    found = values(column, group)
    if column.share:
        found = [None if value is None else 100.0 * value for value in found]
    return number(found, column.share, column.absent) if found else ""
