"""One page about the runs in a folder, with everything in it that it needs.

    python -m experiments.report --workdir=runs

It writes `report.html` and, for a paper, `report.md` into the folder. With `--accuracy=0.88`,
or for runs that are compared by another metric `--target=0.5`, the table has what it cost to
reach that.
"""

import sys

from absl import app, flags

from .options import command_line
from .process import console
from .process.errors import one_line_errors
from .process.whole_files import replace
from .reading import page, results, targets

_ACCURACY = flags.DEFINE_float(
    "accuracy", None, "Accuracy whose cost is reported; 0.9 if none is.", 0.0, 1.0
)
flags.adopt_module_key_flags(targets)


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
    aims = targets.targets(groups, _ACCURACY.value, targets.TARGET.value)
    for name, text in page.written(groups, title, aims, left_out).items():
        replace(folder / name, text)
        console.tell(f"{folder / name}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
