"""The implicit convolution for TPUs, in both interpret modes; and lowered."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas import tpu as pltpu
from more import more
from test_tpu import simulated

from flq_jax.kernels import bit_conv, popcount, tpu_conv
from flq_jax.kernels.geometry import resolve

# size, kernel, stride, dilation, padding, groups, channels, outputs, bits
CASES = [
    ((5, 4), (3, 3), 1, 1, "SAME", 1, 33, 3, (1, 1)),
    ((6, 5), (3, 2), (2, 1), (1, 2), ((2, 0), (1, 3)), 2, 9, 4, (1, 1)),
    more((7, 9), (2, 3), (3, 2), 2, "SAME", 1, 70, 130, (2, 3)),
    more((9, 8), (1, 1), (2, 3), 1, "VALID", 1, 300, 5, (1, 2)),
    more((3, 4), (2, 1), 1, 1, ((1, 0), (0, 2)), 1, 40, 5, (8, 8)),
]


@pytest.mark.parametrize("backend", ["tpu_popcount", "tpu_int8"])
@pytest.mark.parametrize(
    "size, kernel, stride, dilation, padding, groups, channels, outputs, bits", CASES
)
def test_shifted_windows_are_exact(
    oracle,
    backend,
    size,
    kernel,
    stride,
    dilation,
    padding,
    groups,
    channels,
    outputs,
    bits,
):
    signed = bits == (1, 1)
    x = oracle.operand((2, *size, channels * groups), bits[0], signed)
    w = oracle.operand((*kernel, channels, outputs), bits[1], signed)
    options = {"stride": stride, "dilation": dilation, "padding": padding}
    options |= {"groups": groups}
    run = functools.partial(bit_conv, backend=backend, interpret=True, **options)
    np.testing.assert_array_equal(jax.jit(run)(x, w), oracle.conv(x, w, **options))


KERNELS = {
    "popcount": functools.partial(tpu_conv.popcount_conv, binary=True),
    "int8": tpu_conv.int8_conv,
}
kernels = pytest.mark.parametrize("kernel", KERNELS)
GEOMETRY = resolve((5, 6), (3, 2), (2, 1))


def operands(oracle, outputs=150):
    """Two tiles of outputs or more, which share the windows that the first gathers."""
    return oracle.words((1, 2, 5, 6, 1)), oracle.words((1, 3, 2, 1, outputs))


@kernels
def test_simulated_tpu_agrees_without_races(oracle, kernel):
    x, w = operands(oracle)
    run = functools.partial(KERNELS[kernel], geometry=GEOMETRY)
    result, races = simulated(run, x, w)
    expected = popcount.conv_counts(x, w, kernel == "popcount", GEOMETRY)
    np.testing.assert_array_equal(result, expected)
    assert not races


def test_control_outputs_in_parallel_are_caught(oracle, monkeypatch):
    """A second core would read windows that the first has not gathered."""
    monkeypatch.setattr(
        tpu_conv,
        "_outputs_in_order",
        lambda: pltpu.CompilerParams(dimension_semantics=("parallel", "parallel")),
    )
    x, w = operands(oracle, 170)
    run = functools.partial(KERNELS["int8"], geometry=GEOMETRY)
    result, races = simulated(run, x, w)
    expected = popcount.conv_counts(x, w, False, GEOMETRY)
    assert races or (result != expected).any()


@kernels
@pytest.mark.parametrize("groups", [1, 3])
def test_lowers_for_tpu(kernel, groups):
    x = jax.ShapeDtypeStruct((groups, 1, 2, 5, 6, 2), jnp.int32)
    w = jax.ShapeDtypeStruct((groups, 1, 3, 2, 2, 40), jnp.int32)
    run = jax.vmap(functools.partial(KERNELS[kernel], geometry=GEOMETRY))
    lowered = jax.jit(run).trace(x, w).lower(lowering_platforms=("tpu",))
    text = lowered.as_text()
    assert "tpu_custom_call" in text
    # 24 windows of 6 taps of 2 words would be 24 x 12.
    assert "x24x12x" not in text


def test_what_windows_see_at_a_tap_is_a_shift_of_the_lanes():
    # 4 pixels in a row, one column of padding at both ends, stride 2: windows at 0 and 2
    # of the padded row; phases hold its even and odd pixels, (0, 2, 4) and (1, 3, 5).
    geometry = resolve((1, 4), (1, 3), (1, 2), padding=((0, 0), (1, 1)))
    assert tpu_conv.grid_size(geometry) == (1, 3)
    x = 1 + jnp.arange(4).reshape(1, 1, 1, 4, 1)
    np.testing.assert_array_equal(tpu_conv.phases(x, geometry), [[0, 2, 4], [1, 3, 0]])
    assert tpu_conv.tap_shifts(geometry) == [(0, 0), (1, 0), (0, 1)]


@kernels
@pytest.mark.parametrize("block", [(12, 128), (8, 100)])
def test_blocks_that_do_not_fit_are_refused(oracle, kernel, block):
    run = functools.partial(KERNELS[kernel], geometry=GEOMETRY, block=block)
    with pytest.raises(ValueError, match="_conv: block must be multiples of 8 and 128"):
        run(*operands(oracle), interpret=True)
