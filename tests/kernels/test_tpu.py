"""The kernels for TPUs, in both interpret modes; and lowered, as Mosaic gets them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax._src.pallas.mosaic.interpret import interpret_pallas_call
from jax.experimental.pallas import tpu as pltpu
from more import more

from flq_jax.kernels import tpu

# planes of a, rows, words, planes of b, columns: ragged, one block, several blocks, steps
SHAPES = [(1, 3, 1, 1, 5), (1, 131, 40, 1, 129), (2, 16, 4, 3, 600), (8, 9, 9, 8, 30)]
KERNELS = {
    "popcount xor": (functools.partial(tpu.popcount_product, binary=True), True),
    "popcount and": (functools.partial(tpu.popcount_product, binary=False), False),
    "int8": (tpu.int8_product, False),
}
kernels = pytest.mark.parametrize("kernel, binary", KERNELS.values(), ids=KERNELS)
# One of each body: that of the popcounts sums and steps alike, whatever it counts.
BODIES = ("popcount xor", "int8")
controls = pytest.mark.parametrize(
    "kernel, binary", [KERNELS[name] for name in BODIES], ids=BODIES
)


@pytest.fixture
def nothing_traced():
    """JAX keeps traced kernels: it must neither take one without the bug, nor keep it."""
    jax.clear_caches()
    yield
    jax.clear_caches()


def operands(oracle, planes_a, rows, words, planes_b, columns):
    return oracle.words((planes_a, rows, words)), oracle.words(
        (planes_b, words, columns)
    )


@kernels
@pytest.mark.parametrize("shape", [*SHAPES[:2], *map(more, SHAPES[2:])])
def test_counts_are_exact(oracle, shape, kernel, binary):
    a, b = operands(oracle, *shape)
    result = jax.jit(functools.partial(kernel, interpret=True))(a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, binary))


def simulated(kernel, a, b, threads=2):
    """(result, whether two threads raced), on a simulated TPU with so many of them."""
    pltpu.reset_tpu_interpret_mode_state()
    params = pltpu.InterpretParams(detect_races=True, num_cores_or_threads=threads)
    try:
        run = jax.jit(functools.partial(kernel, interpret=params))
        result = np.asarray(run(a, b))
    except jax.errors.JaxRuntimeError as error:  # from JAX 0.11 on, a race ends the run
        if "RACE DETECTED" not in str(error):
            raise
        return None, True
    return result, interpret_pallas_call.races.races_found


@kernels
def test_simulated_tpu_agrees_without_races(oracle, kernel, binary):
    a, b = operands(oracle, 1, 8, 33, 1, 128)
    result, races = simulated(kernel, a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, binary))
    assert not races


@controls
@pytest.mark.usefixtures("nothing_traced")
def test_control_sum_that_starts_anywhere_is_caught(
    oracle, kernel, binary, monkeypatch
):
    monkeypatch.setattr(tpu, "_zero_at_first_step", lambda out_ref: None)
    a, b = operands(oracle, 1, 8, 34, 1, 128)
    result, _ = simulated(kernel, a, b, threads=1)
    assert (result != oracle.counts(a, b, binary)).any()


@controls
@pytest.mark.usefixtures("nothing_traced")
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
