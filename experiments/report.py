"""One page about the runs in a folder, with everything in it that it needs.

    python -m experiments.report --workdir=runs

It writes `report.html` and, for a paper, `report.md` into the folder.
"""

import sys

from absl import app, flags

from .options import command_line
from .process import console
from .process.errors import one_line_errors
from .process.whole_files import replace
from .reading import page, results

_ACCURACY = flags.DEFINE_float(
    "accuracy", 0.9, "Test accuracy whose cost is reported.", 0.0, 1.0
)


@one_line_errors(OSError)
def main(argv: list[str]) -> None:
    """Writes the report on the runs in --workdir."""
    del argv
    folder = command_line.workdir()
    runs = results.read(folder)
    groups = results.grouped(runs)
    if not groups:
        print(
            f"error: --workdir: no run with a metrics line in {folder}", file=sys.stderr
        )
        sys.exit(2)
    left_out = results.left_out(folder, runs)
    title = folder.resolve().name
    for name, text in page.written(groups, title, _ACCURACY.value, left_out).items():
        replace(folder / name, text)
        console.tell(f"{folder / name}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
