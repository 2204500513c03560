"""Every numbered equation of the paper has its picture."""

import importlib.util
import pathlib
import re

import numpy as np
import pytest
from matplotlib.figure import Figure

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("equations", DOCS / "equations.py")
equations = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(equations)


@pytest.mark.more
def test_every_equation_is_drawn():
    figure = equations.drawn()
    titles = [axes.get_title() for axes in figure.axes]
    numbers = set()
    for title in titles:
        if match := re.match(r"Eqs?\. ([\d, -]+):", title):
            ends = [int(n) for n in re.findall(r"\d+", match[1])]
            numbers |= set(range(ends[0], ends[-1] + 1))
    assert numbers == set(range(1, 17))
    assert all(axes.lines for axes in figure.axes if axes.get_title())


def test_the_exclusive_or_gives_the_product_and_what_is_printed_its_negative():
    axes = Figure().subplots()
    equations.popcounts(axes)
    ours, printed = axes.lines
    np.testing.assert_array_equal(ours.get_ydata(), ours.get_xdata())
    np.testing.assert_array_equal(printed.get_ydata(), -printed.get_xdata())


def test_the_page_shows_the_picture():
    assert "](equations.png)" in (DOCS / "equations.md").read_text()
    assert (DOCS / "equations.png").read_bytes().startswith(b"\x89PNG")
