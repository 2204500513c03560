"""PTX written a call to an instruction, and what integers spare."""

import numpy as np
import pytest

from flq_jax.benchmarks import ptx
from flq_jax.kernels.ptx import Writer


def lines(writer):
    """The instructions so far, without registers' declarations."""
    body = writer.text(parameters=0, threads=32).split("{\n")[1].splitlines()
    return [line.strip() for line in body if not line.startswith("\t.reg")][:-2]


def test_what_is_known_costs_no_instruction():
    p = Writer("k")
    assert (p.plus(2, 3), p.times(4, 5), p.split(17, 5, 100)) == (5, 20, (3, 2))
    assert (p.plus("%r9", 0), p.plus(0, "%r9"), p.times("%r9", 1)) == ("%r9",) * 3
    assert p.times("%r9", 0) == 0
    # Divided by 1 it is itself, and below the divisor it is the rest.
    assert p.split("%r9", 1, 50) == ("%r9", 0)
    assert p.split("%r9", 50, 50) == (0, "%r9")
    assert p.at("%rd9", 0) == "%rd9"
    assert lines(p) == []


def test_what_is_not_costs_one():
    p = Writer("k")
    assert p.plus(3, "%r9") == "%r1"
    assert p.split("%r9", 7, 50) == ("%r2", "%r3")
    assert lines(p) == [
        "add.s32 %r1, %r9, 3;", "div.u32 %r2, %r9, 7;", "rem.u32 %r3, %r9, 7;"
    ]  # fmt: skip


@pytest.mark.parametrize("n, bound", [(1, 64), (7, 64), (100, 64)])
def test_a_module_computes_what_it_says(n, bound):
    """Threads' numbers divided by n, and 32 (i mod n) words on, in two blocks of 32."""
    p = Writer("halves")
    source, to = p.parameter(0), p.parameter(1)
    block = p("mul.lo.s32", p("mov.u32", "%ctaid.x"), 32)
    number = p.plus(block, p("mov.u32", "%tid.x"))
    above = p("setp.ge.u32", number, 3, kind="p")
    quotient, rest = p.split(number, n, bound)
    read = p.word(p.at(source, number), inside=above)
    total = p.plus(p.plus(p.times(quotient, 1000), rest), read)
    p.put("st.global.b32", f"[{p.at(to, number)}]", total)
    program = ptx.parse(p.text(parameters=2, threads=32), "halves")
    words = np.arange(64, dtype=np.int32) << 16
    result = ptx.launch(program, (2, 1), [words, np.zeros_like(words)])[1]
    i = np.arange(64)
    expected = 1000 * (i // n) + i % n + np.where(i >= 3, i << 16, 0)
    assert result.tolist() == expected.tolist()
