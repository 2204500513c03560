"""How the drawings of the pages are written: the same figure gives the same bytes."""

import pathlib

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


def write_svg(figure: Figure, file: str) -> None:
    """Writes the figure, without its date, and prints where."""
    path = pathlib.Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "flq_jax"}):
        FigureCanvasSVG(figure)
        figure.savefig(path, format="svg", metadata={"Date": None})
    print(path)
