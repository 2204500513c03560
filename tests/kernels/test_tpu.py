"""The kernels for TPUs, in both interpret modes; and lowered, as Mosaic gets them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.pallas.mosaic.interpret import interpret_pallas_call
from jax.experimental.pallas import tpu as pltpu

from flq_jax.kernels import bit_conv, bit_matmul, tpu

# planes of a, rows, words, planes of b, columns: ragged, one block, several blocks, steps
SHAPES = [(1, 3, 1, 1, 5), (1, 131, 40, 1, 129), (2, 16, 4, 3, 600), (8, 9, 9, 8, 30)]
KERNELS = {
    "popcount xor": (functools.partial(tpu.popcount_product, binary=True), True),
    "popcount and": (functools.partial(tpu.popcount_product, binary=False), False),
    "int8": (tpu.int8_product, False),
}
kernels = pytest.mark.parametrize("kernel, binary", KERNELS.values(), ids=KERNELS)


def operands(oracle, planes_a, rows, words, planes_b, columns):
    return oracle.words((planes_a, rows, words)), oracle.words(
        (planes_b, words, columns)
    )


@kernels
@pytest.mark.parametrize("shape", SHAPES)
def test_counts_are_exact(oracle, shape, kernel, binary):
    a, b = operands(oracle, *shape)
    result = jax.jit(functools.partial(kernel, interpret=True))(a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, binary))


def simulated(kernel, a, b):
    """(result, whether two threads raced), on a simulated TPU with two of them."""
    pltpu.reset_tpu_interpret_mode_state()
    params = pltpu.InterpretParams(detect_races=True, num_cores_or_threads=2)
    result = np.asarray(kernel(a, b, interpret=params))
    return result, interpret_pallas_call.races.races_found


@kernels
def test_simulated_tpu_agrees_without_races(oracle, kernel, binary):
    a, b = operands(oracle, 1, 8, 33, 1, 128)
    result, races = simulated(kernel, a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, binary))
    assert not races


@kernels
def test_control_sum_that_starts_anywhere_is_caught(
    oracle, kernel, binary, monkeypatch
):
    monkeypatch.setattr(tpu, "_zero_at_first_step", lambda out_ref: None)
    a, b = operands(oracle, 1, 8, 33, 1, 128)
    result, _ = simulated(kernel, a, b)
    assert (result != oracle.counts(a, b, binary)).any()


@kernels
def test_control_steps_in_parallel_are_caught(oracle, kernel, binary, monkeypatch):
    """Even where the value happens to be right, the race is seen."""
    del binary
    monkeypatch.setattr(
        tpu,
        "_in_order",
        lambda: pltpu.CompilerParams(dimension_semantics=("parallel",) * 3),
    )
    _, races = simulated(kernel, *operands(oracle, 1, 8, 33, 1, 128))
    assert races


@pytest.mark.parametrize(
    "backend, bits",
    [("tpu_popcount", (1, 1)), ("tpu_popcount", (2, 3)), ("tpu_int8", (8, 8))],
)
def test_products_and_convolutions_of_values_are_exact(oracle, backend, bits):
    signed = (bits[0] == 1, True)
    options = {"backend": backend, "platform": "tpu", "interpret": True}
    a = oracle.operand((5, 70), bits[0], signed[0])
    b = oracle.operand((70, 9), bits[1], signed[1])
    product = jax.jit(functools.partial(bit_matmul, **options))
    np.testing.assert_array_equal(product(a, b), oracle.matmul(a, b))
    x = oracle.operand((2, 5, 6, 34), bits[0], signed[0])
    w = oracle.operand((3, 3, 17, 4), bits[1], signed[1])
    result = jax.jit(functools.partial(bit_conv, stride=2, groups=2, **options))(x, w)
    np.testing.assert_array_equal(result, oracle.conv(x, w, 2, 1, "SAME", 2))


@kernels
@pytest.mark.parametrize("shape", [(1, 128, 36, 1, 128), (2, 100, 5, 3, 70)])
def test_lowers_for_tpu(kernel, binary, shape):
    del binary
    planes_a, rows, words, planes_b, columns = shape
    a = jax.ShapeDtypeStruct((planes_a, rows, words), jnp.int32)
    b = jax.ShapeDtypeStruct((planes_b, words, columns), jnp.int32)
    lowered = jax.jit(kernel).trace(a, b).lower(lowering_platforms=("tpu",))
    assert "tpu_custom_call" in lowered.as_text()


@kernels
@pytest.mark.parametrize("block", [(12, 128), (8, 100), (0, 128)])
def test_blocks_that_do_not_fit_are_refused(oracle, kernel, binary, block):
    del binary
    a, b = operands(oracle, 1, 3, 1, 1, 5)
    with pytest.raises(ValueError, match="block must be multiples of 8 and 128, got"):
        kernel(a, b, block=block, interpret=True)
