"""What a card does, part by part, each within a time of its own.

    python -m benchmarks.accelerator [--small] [--seconds=480] [--parts=rounds]
        [--lines=card.jsonl] [--card_picture=card.png]

A line of JSON as soon as a figure is there, a table and a picture last. First the ceilings:
bytes a second and operations a second of XLA's own products. Then whether low-bit products
and convolutions are exact. Then how long things take: microseconds, median of all repeats,
beside the floor that their bytes and operations allow at those ceilings. A part that raises
says so; one whose time has come is left out and named. `--small` is a rehearsal on a CPU:
tiny shapes, whose figures mean nothing.
"""

import json
import pathlib

from absl import app, flags

from .on_card.card import PARTS, card
from .on_card.measure import machine
from .on_card.show import picture, print_table

SECONDS = flags.DEFINE_float("seconds", 480.0, "All of it.", 1.0)
SMALL = flags.DEFINE_bool("small", False, "Tiny shapes.")
NAMES = flags.DEFINE_multi_enum(
    "parts", list(PARTS), list(PARTS), "What is measured; again for each."
)
LINES = flags.DEFINE_string("lines", "", "A file for the JSON lines too.")
PICTURE = flags.DEFINE_string(
    "card_picture", "", "A file for the picture, .png or .svg."
)


def main(argv: list[str]) -> None:
    """Prints lines as they come, then the table; draws the picture."""
    del argv
    rows, file = [], pathlib.Path(LINES.value) if LINES.value else None
    if file:
        file.write_text("", encoding="utf-8")

    def say(row: dict) -> None:
        rows.append(row)
        line = json.dumps(row)
        print(line, flush=True)
        if file:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(f"{line}\n")

    say(machine())
    parts = {name: PARTS[name] for name in PARTS if name in NAMES.value}
    for row in card(SMALL.value, SECONDS.value, parts):
        say(row)
    print_table(rows)
    if PICTURE.value:
        picture(rows, PICTURE.value)


if __name__ == "__main__":
    app.run(main)
