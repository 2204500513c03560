"""The kernels for NVIDIA GPUs: interpreted, on a card where one is, and as it is lowered."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.kernels import gpu
from flq_jax.kernels.predicted import Tiling

# planes of a, rows, words, planes of b, columns: ragged, one block, several blocks
SHAPES = [(1, 3, 1, 1, 5), (1, 33, 5, 2, 129), (8, 17, 3, 2, 70)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("binary", [True, False])
def test_popcounts_are_exact(oracle, shape, binary, interpret):
    planes_a, rows, words, planes_b, columns = shape
    a, b = (
        oracle.words((planes_a, rows, words)),
        oracle.words((planes_b, words, columns)),
    )
    count = functools.partial(gpu.popcount_product, binary=binary, interpret=interpret)
    result = jax.jit(count)(a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, binary))


@pytest.mark.parametrize("shape", SHAPES)
def test_unpacked_bytes_are_exact(oracle, shape, interpret):
    planes_a, rows, words, planes_b, columns = shape
    a, b = (
        oracle.words((planes_a, rows, words)),
        oracle.words((planes_b, words, columns)),
    )
    result = jax.jit(functools.partial(gpu.int8_product, interpret=interpret))(a, b)
    np.testing.assert_array_equal(result, oracle.counts(a, b, False))


KERNELS = {
    "popcount xor": functools.partial(gpu.popcount_product, binary=True),
    "popcount and": functools.partial(gpu.popcount_product, binary=False),
    "int8": gpu.int8_product,
}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("shape", [(1, 128, 36, 1, 128), (2, 100, 5, 3, 70)])
def test_lowers_for_cuda(kernel, shape):
    planes_a, rows, words, planes_b, columns = shape
    a = jax.ShapeDtypeStruct((planes_a, rows, words), jnp.int32)
    b = jax.ShapeDtypeStruct((planes_b, words, columns), jnp.int32)
    with gpu.in_mind():
        lowered = jax.jit(kernel).trace(a, b).lower(lowering_platforms=("cuda",))
    assert "__gpu$xla.gpu.triton" in lowered.as_text()


@pytest.mark.parametrize("splits", [1, 2, 5])
@pytest.mark.parametrize("kernel", KERNELS)
def test_parts_of_shared_tiles_add_up(oracle, kernel, splits, interpret):
    """Eleven words: of two or five parts some end after the last word."""
    a, b = oracle.words((2, 18, 11)), oracle.words((1, 11, 20))
    run = functools.partial(
        KERNELS[kernel], tiling=Tiling((16, 32), splits), interpret=interpret
    )
    expected = oracle.counts(a, b, kernel.endswith("xor"))
    np.testing.assert_array_equal(jax.jit(run)(a, b), expected)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_packed_operands_are_read_as_they_lie(kernel):
    """Nothing is transposed, padded or copied before the kernel, at ragged sizes."""
    a = jax.ShapeDtypeStruct((2, 100, 35), jnp.int32)
    b = jax.ShapeDtypeStruct((3, 35, 70), jnp.int32)
    with gpu.in_mind():
        lowered = jax.jit(kernel).trace(a, b).lower(lowering_platforms=("cuda",))
    before, _ = lowered.as_text().split("__gpu$xla.gpu.triton")
    assert not re.search(r"stablehlo\.(transpose|pad|concatenate|slice)", before)


@pytest.mark.parametrize("block", [(24, 128), (32, 0), (32, 100)])
def test_blocks_that_are_no_powers_of_two_are_refused(oracle, block):
    a, b = oracle.words((1, 3, 1)), oracle.words((1, 1, 5))
    with pytest.raises(
        ValueError, match="popcount_product: block must be powers of 2 from 1"
    ):
        gpu.popcount_product(a, b, binary=True, tiling=Tiling(block), interpret=True)


@pytest.mark.parametrize("block", [(64, 48), (8, 64)])
def test_int8_blocks_that_do_not_fit_are_refused(oracle, block):
    a, b = oracle.words((1, 3, 1)), oracle.words((1, 1, 5))
    with pytest.raises(
        ValueError, match="int8_product: block must be powers of 2 from 16"
    ):
        gpu.int8_product(a, b, tiling=Tiling(block), interpret=True)
