"""The kernels written in PTX: executed on the host, and on a card where one is."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more

from flq_jax.benchmarks import execute_ptx
from flq_jax.kernels import bit_conv, bit_matmul, gpu_ptx, popcount, ptx_programs
from flq_jax.kernels.geometry import resolve
from flq_jax.kernels.predicted import Tiling

KERNELS = {
    "popcount xor": functools.partial(gpu_ptx.popcount_product, binary=True),
    "popcount and": functools.partial(gpu_ptx.popcount_product, binary=False),
    "int8": gpu_ptx.int8_product,
}
# planes of a, rows, words, planes of b, columns: ragged, one block, several blocks
SHAPES = [(1, 3, 1, 1, 5), (1, 33, 5, 2, 129), (3, 17, 1, 2, 70), (8, 17, 3, 2, 70)]
# stride, dilation, padding, groups, kernel
GEOMETRIES = [
    (1, 1, "SAME", 1, (3, 3)),
    (2, 1, "VALID", 2, (3, 2)),
    ((1, 2), (2, 1), ((2, 0), (1, 3)), 1, (2, 3)),
    ((2, 3), 2, "SAME", 3, (1, 3)),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.usefixtures("assembled")
def test_products_are_exact(oracle, shape, kernel):
    planes_a, rows, words, planes_b, columns = shape
    if kernel.endswith("xor"):
        planes_a = planes_b = 1
    a = oracle.words((planes_a, rows, words))
    b = oracle.words((planes_b, words, columns))
    expected = oracle.counts(a, b, kernel.endswith("xor"))
    np.testing.assert_array_equal(jax.jit(KERNELS[kernel])(a, b), expected)


@pytest.mark.parametrize(
    "kernel, block, splits",
    [
        ("popcount xor", (1, 1), 5),
        ("popcount and", (2, 64), 2),
        ("popcount and", (64, 8), 1),
        ("int8", (16, 32), 5),
        ("int8", (32, 32), 2),
        ("int8", (128, 64), 1),
    ],
)
@pytest.mark.usefixtures("assembled")
def test_any_tiles_and_parts_are_exact(oracle, kernel, block, splits):
    """Eleven words: of two or five parts some end after the last word."""
    a, b = oracle.words((1, 18, 11)), oracle.words((1, 11, 40))
    run = functools.partial(KERNELS[kernel], tiling=Tiling(block, splits))
    expected = oracle.counts(a, b, kernel.endswith("xor"))
    np.testing.assert_array_equal(jax.jit(run)(a, b), expected)


@pytest.mark.parametrize("geometry", range(len(GEOMETRIES)))
@pytest.mark.parametrize(
    "backend, bits",
    [
        ("ptx_popcount", (1, 1)),
        ("ptx_int8", (2, 3)),
        more("ptx_popcount", (2, 3)),
        more("ptx_int8", (1, 1)),
        more("ptx_int8", (8, 8)),
    ],
)
@pytest.mark.usefixtures("assembled")
def test_values_are_exact(oracle, backend, bits, geometry):
    """Products and convolutions of signs and of codes, as users ask for them."""
    stride, dilation, padding, groups, kernel = GEOMETRIES[geometry]
    signed = (bits[0] == 1, True)
    options = {"backend": backend, "platform": "gpu"}
    a = oracle.operand((5, 70), bits[0], signed[0])
    b = oracle.operand((70, 9), bits[1], signed[1])
    product = jax.jit(functools.partial(bit_matmul, **options))
    np.testing.assert_array_equal(product(a, b), oracle.matmul(a, b))
    x = oracle.operand((2, 5, 6, 34 * groups), bits[0], signed[0])
    w = oracle.operand((*kernel, 34, 4 * groups), bits[1], signed[1])
    options |= {"stride": stride, "dilation": dilation, "padding": padding}
    conv = jax.jit(functools.partial(bit_conv, groups=groups, **options))
    expected = oracle.conv(x, w, stride, dilation, padding, groups)
    np.testing.assert_array_equal(conv(x, w), expected)


@pytest.mark.usefixtures("assembled")
def test_a_batch_goes_one_by_one(oracle):
    a, b = oracle.words((3, 1, 5, 2)), oracle.words((3, 1, 2, 7))
    run = jax.jit(jax.vmap(KERNELS["popcount xor"]))
    expected = [oracle.counts(*pair, True) for pair in zip(a, b)]
    np.testing.assert_array_equal(run(a, b), expected)


def program_of(kernel: str, bits, tiling):
    """The text of a convolution of two padded images, its operands, and their counts."""
    rng, image, window = np.random.default_rng(0), (2, 3, 4, 2), (3, 2)
    geometry = resolve(image[1:3], window, 1)
    sizes = (bits[0], *image), (bits[1], *window, image[-1], 20)
    operands = [rng.integers(-(2**31), 2**31, s, dtype=np.int32) for s in sizes]
    binary = kernel.endswith("xor")
    counts = np.asarray(popcount.conv_counts(*operands, binary, geometry))
    if kernel == "int8":
        text = ptx_programs.int8("int8_conv", *sizes, geometry, tiling)
    else:
        name = "popcount_conv"
        text = ptx_programs.popcount(name, *sizes, geometry, tiling, binary)
    return text, operands, counts.reshape(-1, 20)


@pytest.mark.parametrize(
    "kernel, bits, block, least",
    [
        ("popcount xor", (1, 1), (8, 16), 20),
        ("popcount and", (2, 3), (8, 16), 20),
        ("int8", (2, 3), (16, 32), 20),
    ],
)
def test_programs_with_one_instruction_changed_count_otherwise(
    kernel, bits, block, least
):
    tiling = Tiling(block, 2)
    text, operands, right = program_of(kernel, bits, tiling)
    proof = execute_ptx.proved(
        text,
        f"{kernel.split()[0]}_conv",
        tiling,
        operands,
        right,
        execute_ptx.OWN_MUTATIONS,
    )
    assert proof["error"] == ""
    assert proof["mutants"] >= least
    assert proof["survivors"] == []


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_packed_operands_are_read_as_they_lie(kernel):
    """Nothing is transposed, padded or copied before the kernel, and no Triton is there."""
    a = jax.ShapeDtypeStruct((2, 100, 35), jnp.int32)
    b = jax.ShapeDtypeStruct((3, 35, 70), jnp.int32)
    lowered = jax.jit(kernel).trace(a, b).lower(lowering_platforms=("cuda",))
    before, _ = lowered.as_text().split(f"@{gpu_ptx.CALL}(")
    assert "triton" not in lowered.as_text()
    assert not re.search(r"stablehlo\.(transpose|pad|concatenate|slice)", before)


def test_the_grid_has_a_program_to_each_part_of_each_tile():
    # 100 x 300 in tiles of 16 x 128: 7 by 3, of two parts; a warp each.
    run = functools.partial(KERNELS["popcount xor"], tiling=Tiling((16, 128), 2))
    a = jax.ShapeDtypeStruct((1, 100, 35), jnp.int32)
    b = jax.ShapeDtypeStruct((1, 35, 300), jnp.int32)
    text = jax.jit(run).trace(a, b).lower(lowering_platforms=("cuda",)).as_text()
    sizes = {"grid_x": 7, "grid_y": 3, "grid_z": 2, "block_x": 32, "block_y": 1}
    for name, size in sizes.items():
        assert f"{name} = {size} : i32" in text
    assert "tensor<2x112x384xi32>" in text


@pytest.mark.parametrize("block", [(24, 128), (32, 0), (32, 100)])
def test_blocks_that_are_no_powers_of_two_are_refused(oracle, block):
    a, b = oracle.words((1, 3, 1)), oracle.words((1, 1, 5))
    with pytest.raises(
        ValueError, match="popcount_product: block must be powers of 2 from 1"
    ):
        gpu_ptx.popcount_product(a, b, binary=True, tiling=Tiling(block))


@pytest.mark.parametrize(
    "block, told",
    [
        ((64, 48), "be powers of 2 from 16"),
        ((8, 64), "be powers of 2 from 16"),
        ((16, 16), "have 32 columns or more"),
    ],
)
def test_int8_blocks_that_do_not_fit_are_refused(oracle, block, told):
    a, b = oracle.words((1, 3, 1)), oracle.words((1, 1, 5))
    with pytest.raises(ValueError, match=f"int8_product: block must {told}"):
        gpu_ptx.int8_product(a, b, tiling=Tiling(block))


def test_operands_beyond_an_offset_are_refused():
    like = [jax.ShapeDtypeStruct((1, 2**n, 2**15), jnp.int32) for n in (14, 15)]
    with pytest.raises(ValueError, match="popcount_product: operands must have less"):
        jax.eval_shape(KERNELS["popcount xor"], like[0], like[1])
