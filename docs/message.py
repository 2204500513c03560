"""Draws a real message, byte by byte.

python docs/message.py --frame=docs/images/message.svg
"""

import jax
import jax.numpy as jnp
from absl import app, flags
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from flq_jax import wire
from flq_jax.docs import drawing
from flq_jax.experiments.options import command_line
from flq_jax.quantizers import uniform

_FRAME = flags.DEFINE_string("frame", "docs/images/message.svg", "The SVG file.")
X = (-0.9, -0.2, 0.1, 0.6)
BITS = 2
# What follows what in a frame: name, bytes, colour.
FIELDS = (
    ("magic", 4, "C0"),
    ("ver.", 1, "C1"),
    ("w", 1, "C2"),
    ("sides", 4, "C3"),
    ("scheme", 4, "C4"),
    ("codes", 4, "C5"),
    ("bits", 4, "C6"),
    ("R as f32", 4, "C8"),
    ("4 codes", 1, "C9"),
    ("CRC-32", 4, "C7"),
)
ROWS = ("header, not counted", "payload: what is counted", "check, not counted")
ROW_OF = (0,) * 7 + (1, 1) + (2,)


def frame() -> bytes:
    """X's message under `uniform(BITS)`, as it crosses the link."""
    quantizer = uniform(BITS)
    message = quantizer.encode(jax.random.key(0), jnp.array(X))
    return wire.pack(message, quantizer.layout(len(X)))


def bytes_of(axes: Axes, data: bytes) -> None:
    """A box for each byte; a row each for header, payload and check."""
    at, places = 0, [0, 0, 0]
    for (name, length, colour), row in zip(FIELDS, ROW_OF, strict=True):
        left = places[row]
        for i, byte in enumerate(data[at : at + length]):
            box = Rectangle(
                (left + i, -2 * row), 1, 1, fc=colour, ec="white", alpha=0.5
            )
            axes.add_patch(box)
            axes.text(
                left + i + 0.5, 0.5 - 2 * row, f"{byte:02x}", ha="center", va="center"
            )
        middle = left + length / 2
        axes.text(middle, 1.1 - 2 * row, name, ha="center", fontsize=7.5)
        at, places[row] = at + length, left + length
    for row, name in enumerate(ROWS):
        axes.text(places[row] + 0.3, 0.5 - 2 * row, name, va="center", fontsize=9)
    if at != len(data):
        raise ValueError(f"message: fields have {at} bytes, the frame {len(data)}")


def drawn() -> Figure:
    """The frame, on white."""
    figure = Figure(figsize=(9.5, 2.6), layout="constrained")
    axes = figure.subplots()
    bytes_of(axes, frame())
    axes.set(xlim=(0, 28.5), ylim=(-4.2, 1.8))
    axes.set_axis_off()
    return figure


def main(argv: list[str]) -> None:
    """Writes the picture."""
    del argv
    drawing.write_svg(drawn(), _FRAME.value)


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
