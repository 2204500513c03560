"""What is told is words alone, and no run ends for want of a listener."""

import errno
import os
import subprocess
import sys

import pytest

from flq_jax.experiments.process import console

NAME = "[bold]a[/b] :smile: [red]"
SUMMARY = {
    "name": NAME, "round": 3, "stopped": "", "train_loss": 0.5, "test_accuracy": 0.25,
    "uploads": 4, "uplink_bits": 10, "downlink_bits": 20, "wall_seconds": 1.0,
    "accounting": {"count": "payload", "downlink": "unicast_all", "float_bits": 32},
}  # fmt: skip


def test_a_name_is_no_markup(capsys):
    console.tell(NAME)
    console.summary_table(SUMMARY)
    console.table([["runs", NAME], [NAME, "2"]])
    with console.progress(NAME, 3, 0) as show:
        show(SUMMARY)
    assert capsys.readouterr().out.count(NAME) == 5


@pytest.mark.parametrize(
    "full", [False, True], ids=["nobody reads", "the disk is full"]
)
def test_the_work_goes_on_where_nobody_hears_of_it(full):
    """Three lines, the second of which can't be told; the last word is the status."""
    code = (
        "import sys\nfrom flq_jax.experiments.process import console\n"
        "for line in 'abc':\n    console.tell(line)\n    sys.stdin.readline()\n"
        "with console.progress('d', 2, 0) as show:\n    pass\n"
        "sys.exit(3)\n"
    )
    out = os.open("/dev/full", os.O_WRONLY) if full else subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
    )
    if full:
        os.close(out)
    else:
        assert process.stdout.readline() == "a\n"
        process.stdout.close()
        process.stdout = None
    _, errors = process.communicate("\n\n\n", timeout=60)
    why = os.strerror(errno.ENOSPC) if full else "nobody reads it"
    assert errors == f"stdout: {why}; the work goes on unheard\n"
    assert process.returncode == 3


def test_what_can_be_done_without_fails_once_and_in_one_line(capsys):
    done = []

    def work(value):
        done.append(value)
        if value == 2:
            raise ValueError("two\nlines")

    tried = console.told("count", work)
    for value in (1, 2, 3):
        tried(value)
    assert done == [1, 2]
    assert capsys.readouterr().out == "count: left out, ValueError('two\\nlines')\n"


@pytest.mark.parametrize(
    "change, there, gone",
    [
        ({"train_loss_share": 0.05}, "train loss (5 % of the examples)", "diverged"),
        ({"train_loss": None}, "not finite", "examples"),
        (None, "test accuracy", "loss"),
    ],
)
def test_a_loss_says_of_what_it_is_and_may_be_missing(change, there, gone, capsys):
    end = SUMMARY | (change or {})
    if change is None:
        del end["train_loss"]
    console.summary_table(end)
    with console.progress("run", 3, 0) as show:
        show(SUMMARY if change else end)
    said = capsys.readouterr().out
    assert there in said and gone not in said
