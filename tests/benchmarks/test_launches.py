"""Launches are read from a program's text, here one written by hand."""

import pytest

from flq_jax.benchmarks import launches
from flq_jax.benchmarks.launches import Launches

TEXT = """HloModule jit_chunk

%fused (p: f32[3]) -> f32[3] {
  %p = f32[3]{0} parameter(0)
  ROOT %n = f32[3]{0} negate(%p)
}

%steps.cond (p: (s32[], f32[3])) -> pred[] {
  %p = (s32[], f32[3]{0}) parameter(0)
  ROOT %less = pred[] fusion(%p), kind=kLoop, calls=%fused
}

%steps (p: (s32[], f32[3])) -> (s32[], f32[3]) {
  %p = (s32[], /*index=1*/f32[3]{0}) parameter(0)
  %x = f32[3]{0} get-tuple-element(%p), index=1
  %c = (f32[3]{0}, u8[0]{0}) custom-call(%x), custom_call_target="__cudnn$convForward"
  %y = f32[3]{0} get-tuple-element(%c), index=0
  %g = f32[3]{0} fusion(%y), kind=kCustom, calls=%fused
  ROOT %t = (s32[], f32[3]{0}) tuple(%x, %g)
}

%round (p: (s32[], f32[3])) -> (s32[], f32[3]) {
  %p = (s32[], f32[3]{0}) parameter(0)
  %k = f32[3]{0} copy(%p)
  %o = f32[3]{0} custom-call(%k), custom_call_target="__gpu$xla.gpu.triton"
  %b = f32[3]{0} bitcast(%o)
  %s = (f32[3]{0}, f32[3]{0}) sort(%b, %b), dimensions={0}, to_apply=%fused
  ROOT %w = (s32[], f32[3]{0}) while(%b), condition=%steps.cond, body=%steps WHILE
}

%round.cond (p: (s32[], f32[3])) -> pred[] {
  %p = (s32[], f32[3]{0}) parameter(0)
  ROOT %less = pred[] fusion(%p), kind=kLoop, calls=%fused
}

ENTRY %main (a: f32[3]) -> f32[3] {
  %a = f32[3]{0} parameter(0)
  %first = f32[3]{0} fusion(%a), kind=kLoop, calls=%fused
  ROOT %w = (s32[], f32[3]{0}) while(%first), condition=%round.cond, body=%round ROUNDS
}
"""


def known(n):
    return f', backend_config={{"known_trip_count":{{"n":"{n}"}}}}'


def text(rounds="", steps=""):
    return TEXT.replace(" ROUNDS", rounds).replace(" WHILE", steps)


def test_a_trip_counts_as_often_as_it_is_made():
    # A copy, a Triton kernel and a sort; and 7 times a library call and a fusion.
    found = launches.a_round(text(known(10), known(7)))
    assert found.trips == 10
    assert found.once == Launches(kernels=2 + 7, copies=1, library=7)
    assert found.once.total == 17
    whole = launches.program(text(known(10), known(7)))
    assert whole.once == Launches(kernels=1 + 90, copies=10, library=70)
    assert [loop.trips for loop in found.loops] == [7]


def test_a_kernel_in_ptx_is_one_too():
    own = text(known(10), known(7)).replace("__gpu$xla.gpu.triton", "__gpu$xla.gpu.ptx")
    assert launches.a_round(own).once == Launches(kernels=9, copies=1, library=7)


def test_a_loop_of_unknown_length_asks_the_host():
    # Its predicate is a kernel, too, and it counts once.
    found = launches.a_round(text(known(10)))
    assert found.once == Launches(4 + 0, 1, 1, asks=1, unknown=1)
    outer = launches.a_round(text(steps=known(7)))
    assert outer.trips is None
    assert outer.once == Launches(10, 1, 7, asks=1)


def test_of_a_condition_the_longest_way_counts():
    both = """  %i = f32[3]{0} conditional(%b, %b), branch_computations={%fused, %steps}
  %j = f32[3]{0} conditional(%b), true_computation=%steps, false_computation=%fused
  %s = ("""
    changed = text(known(10), known(7)).replace("  %s = (", both)
    plain = launches.a_round(text(known(10), known(7))).once
    way = Launches(kernels=1, library=1, asks=1)
    assert launches.a_round(changed).once == plain.plus(way, 2)


def test_what_has_no_rounds_is_refused():
    with pytest.raises(ValueError, match="must have a loop over rounds, got none"):
        launches.a_round("ENTRY %main (a: f32[]) -> f32[] {\n")
    with pytest.raises(ValueError, match="must have an ENTRY, got 'HloModule x'"):
        launches.a_round("HloModule x")
