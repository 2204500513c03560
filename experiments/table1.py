"""Table I of Feng, Ning et al. (2023): what is printed, what was found, a verdict.

    python -m experiments.main --config=configs/paper/table1.py --workdir=runs/table1
    python -m experiments.table1 --workdir=runs/table1

It prints the table and writes `table1.md` into the folder. Bits stand there twice: as the
paper counts them (codes alone; the model once for each upload, LAQ's in 64-bit floats)
and as they were sent (ranges included; one broadcast a round, 32-bit floats).
"""

import statistics
import sys
from typing import NamedTuple

from absl import app

from .options import command_line
from .process import console
from .process.errors import one_line_errors
from .process.whole_files import replace
from .reading import digits, results
from .reading.formats import markdown
from .reading.results import Result


class Printed(NamedTuple):
    """One line of the paper's table.

    Attributes:
        method: as the paper names it.
        config: of which config the run is, see configs/paper/table1.py.
        rounds: after how many.
        downlink: bits of all broadcasts.
        uplink: bits of all uploads.
        accuracy: of the test set, %.
        remark: what the figures themselves say.
    """

    method: str
    config: str
    rounds: int
    downlink: float
    uplink: float
    accuracy: float
    remark: str


SOFTMAX_BITS = "its bits are softmax's (p = 7850)"
NETWORK = f"{SOFTMAX_BITS}, its accuracy a network's"
PRINTED = (
    Printed(
        "LAQ", "slaq", 1000, 4.14e9, 1.94e8, 90.81,
        f"{SOFTMAX_BITS}, as LAQ's own table has them; the accuracy there is 90.18, and "
        "90.82 is the full batch's",
    ),
    Printed(
        "LAQ", "slaq", 1500, 5.62e9, 1.42e10, 91.84,
        "uplink of 784-200-10 (p = 159010), downlink of softmax (p = 7840)",
    ),
    Printed("FLQ (Binary)", "flq_binary", 1000, 6.03e8, 7.54e7, 90.66, SOFTMAX_BITS),
    Printed("FLQ (Binary)", "flq_binary", 1500, 8.76e8, 1.09e8, 90.69, SOFTMAX_BITS),
    Printed("FLQ (Low-bitwidth)", "flq_low", 1000, 5.96e8, 5.96e8, 93.38, NETWORK),
    Printed("FLQ (Low-bitwidth)", "flq_low", 3000, 1.73e9, 1.73e9, 93.73, NETWORK),
)  # fmt: skip
MODELS = ("softmax", "mlp")
HEADER = [
    "method", "rounds", "model", "test accuracy (%)", "printed", "uplink, paper's count",
    "printed", "uplink, sent", "downlink, paper's count", "printed", "downlink, sent",
    "verdict",
]  # fmt: skip


class Found(NamedTuple):
    """The figures of one run after a number of rounds; see the module for the bits."""

    accuracy: float
    uplink: float
    uplink_sent: float
    downlink: float
    downlink_sent: float


@one_line_errors(OSError)
def main(argv: list[str]) -> None:
    """Prints the table of the runs in --workdir, and writes it."""
    del argv
    folder = command_line.workdir()
    runs = results.read(folder)
    lines = [
        line(printed, model, found)
        for printed in PRINTED
        for model in MODELS
        if (found := of(runs, f"{printed.config}-{model}-seed", printed.rounds))
    ]
    if not lines:
        print(
            f"error: --workdir: no run of configs/paper/table1.py in {folder}",
            file=sys.stderr,
        )
        sys.exit(2)
    console.table([HEADER, *lines])
    remarks = [f"- {p.method}, {p.rounds} rounds: {p.remark}." for p in PRINTED]
    text = markdown([HEADER, *lines]) + "\n" + "\n".join(remarks) + "\n"
    replace(folder / "table1.md", text)
    console.tell(f"{folder / 'table1.md'}")


def of(runs: list[Result], prefix: str, rounds: int) -> list[Found]:
    """What the runs of this name have after so many rounds; unfinished ones left out."""
    found = []
    for run in runs:
        rows = [row for row in run.rows if row["round"] == rounds]
        if run.name.startswith(prefix) and run.summary and rows:
            try:
                found.append(at(run, rows[0]))
            except (LookupError, TypeError, ZeroDivisionError) as error:
                console.tell(f"{run.name} is left out: summary.json: {error!r}")
    return found


def at(run: Result, row: dict) -> Found:
    """The figures of a line of its metrics; an upload costs the same in every round."""
    bits, share = run.summary["bits"], row["uploads"] / run.summary["uploads"]
    return Found(
        100 * row["test_accuracy"],
        share * bits["uplink"]["laq/32"],
        row["uplink_bits"],
        share * bits["downlink"]["laq/unicast_uploaders/64"],
        row["downlink_bits"],
    )


def line(printed: Printed, model: str, found: list[Found]) -> list[str]:
    """A line of the table, means and deviations over the seeds."""
    columns = Found(*zip(*found))
    return [
        printed.method,
        f"{printed.rounds:,}",
        f"{model} × {len(found)}",
        digits.plain(columns.accuracy, share=True),
        f"{printed.accuracy:.2f}",
        digits.plain(columns.uplink),
        f"{printed.uplink:.3g}",
        digits.plain(columns.uplink_sent),
        digits.plain(columns.downlink),
        f"{printed.downlink:.3g}",
        digits.plain(columns.downlink_sent),
        verdict(
            printed,
            statistics.fmean(columns.accuracy),
            statistics.fmean(columns.uplink),
        ),
    ]


def verdict(printed: Printed, accuracy: float, uplink: float) -> str:
    """What the means say of the printed accuracy, in %, and of the printed upload bits.

    "better": more accurate with no more bits, to the half unit of the three digits that
    are printed. "reproduced": within 0.3 points and 3 % of the bits. Otherwise which of
    the two was reached.
    """
    unit = 10.0 ** (len(str(int(printed.uplink))) - 3)
    saved = uplink <= printed.uplink + unit / 2
    if accuracy >= printed.accuracy and saved:
        return "better"
    near = accuracy >= printed.accuracy - 0.3
    if near and uplink <= 1.03 * printed.uplink:
        return "reproduced"
    if near:
        return "the accuracy, not the bits"
    return "the bits, not the accuracy" if saved else "not reachable"


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parse_flags)
