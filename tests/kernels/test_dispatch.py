import warnings

import jax.numpy as jnp
import pytest

from flq_jax.kernels import dispatch, host, predicted
from flq_jax.kernels.dispatch import Shape, choose


@pytest.fixture(params=[True, False], ids=["avx512", "avx2"])
def able(request, monkeypatch):
    """Whether the host counts bits of vectors, and multiplies bf16 and int8."""
    for instruction in ("has_vector_popcount", "has_bf16_dot", "has_int8_dot"):
        monkeypatch.setattr(host, instruction, lambda: request.param)
    return request.param


def test_cpu_counts_bits_of_signs_and_multiplies_bytes(able):
    assert choose("cpu", Shape(1024, 1152, 128, (1, 1))) == "lax_popcount"
    assert choose("cpu", Shape(1024, 1152, 128, (8, 4))) == "lax_dot"


def test_cpu_threshold_follows_the_cost_of_a_word(able):
    # 2.0 k l / 32 < 0.6: k l < 9.6; without the instructions 4.4 k l / 32 < 1: 7.3
    assert choose("cpu", Shape(512, 1152, 512, (2, 3))) == "lax_popcount"
    wide = choose("cpu", Shape(4096, 1152, 4096, (2, 4)))
    assert wide == ("lax_popcount" if able else "lax_dot")


def test_cpu_does_not_pack_for_a_few_columns(able):
    shape = Shape(1000, 784, 4, (1, 1), packed=(False, True))
    assert choose("cpu", shape) == "lax_dot"
    assert choose("cpu", shape._replace(packed=(True, True))) == "lax_popcount"
    # A window of nine taps shares the packing nine times.
    assert choose("cpu", shape._replace(reuse=9.0)) == "lax_popcount"


def test_cpu_multiplies_what_it_has_instructions_for(able):
    matrix = Shape(100, 100, 100, (8, 8))
    found = dispatch.multiplied("cpu", matrix)
    assert found == (jnp.bfloat16 if able else jnp.float32)
    image = matrix._replace(conv=True, bits=(4, 7))
    assert dispatch.multiplied("cpu", image) == (jnp.int8 if able else jnp.float32)
    assert dispatch.multiplied("cpu", image._replace(bits=(1, 8))) == jnp.float32


@pytest.mark.parametrize(
    "shape, backend",
    [
        (Shape(4, 16384, 16384, (1, 1)), "gpu_popcount"),
        (Shape(64, 16384, 16384, (1, 1)), "gpu_int8"),
        (Shape(64, 16384, 16384, (1, 2)), "lax_dot"),
        (Shape(4, 16384, 16384, (1, 1), (True, False)), "lax_dot"),
        (Shape(1024, 1152, 128, (1, 1)), "lax_dot"),
        (Shape(1, 10, 10, (1, 1)), "lax_dot"),
        (Shape(4, 16384, 16384, (1, 1), conv=True), "lax_dot"),
    ],
)
def test_gpu_kernels_are_chosen_where_memory_decides(shape, backend):
    assert choose("gpu", shape) == backend


def test_gpu_prediction_by_hand():
    # 4 x 4096 x 4096, one bit: 32 tiles of 4 x 128, shared by 16 programs each, so a
    # warp to 512 of 528 schedulers: 8 words of 16 counts at 8 clocks. Bytes decide: both
    # operands, the result, and 16 parts written and read. 2 kernels of 4300 clocks.
    costs = predicted.gpu_costs(Shape(4, 4096, 4096, (1, 1)))
    moved = 4 * (4 * 128 + 128 * 4096 + 4 * 4096) + 8 * 16 * 4 * 4096
    assert 8 * 16 * 8 < moved / 1970
    assert costs["gpu_popcount"] == pytest.approx(2 * 4300 + moved / 1970)
    # Bytes decide: a read, written and read, 1 bit and 2 bytes a weight, the result.
    moved = 4 * 4096 * 2 + 4096 * 4096 * (1 / 8 + 2) + 4 * 4 * 4096
    assert costs["lax_dot"] == pytest.approx(2 * 4300 + moved / 1970)
    # 16384 x 4608 x 512: 512 tiles of 128 x 128 are 4 rounds of 132, each 72 steps of
    # 60 + 1.7 * 256 instructions; sums of both operands' codes are two kernels more.
    work = 4 * 72 * (60 + 1.7 * 256)
    costs = predicted.gpu_costs(Shape(16384, 4608, 512, (1, 1)))
    assert costs["gpu_int8"] == pytest.approx(4 * 4300 + work)


def test_gpu_kernel_must_be_predicted_to_win_by_twice(monkeypatch):
    for lead, backend in ((1.99, "lax_dot"), (2.0, "gpu_int8")):
        costs = {"gpu_popcount": 3.0, "gpu_int8": 1.0, "lax_dot": lead}
        monkeypatch.setattr(predicted, "gpu_costs", lambda shape, costs=costs: costs)
        assert choose("gpu", Shape(4, 4096, 4096, (1, 1))) == backend


@pytest.mark.parametrize(
    "rows, columns, block",
    [(1, 500, (1, 128)), (3, 70, (4, 128)), (9, 10, (16, 16)), (100, 60, (16, 64))],
)
def test_tiles_are_no_larger_than_the_result(rows, columns, block):
    assert predicted.popcount_tiling(rows, columns, 1).block == block


def test_tiles_are_shared_where_they_are_few():
    # Four tiles of a warp for 528 schedulers: parts of 8 steps at least, so 16 of 128.
    assert predicted.popcount_tiling(4, 512, 128) == ((4, 128), 16)
    # 528 / 32 = 16 programs a tile although 1024 steps would make 128 parts.
    assert predicted.popcount_tiling(4, 4096, 1024) == ((4, 128), 16)
    assert predicted.popcount_tiling(4096, 4096, 1024).splits == 1
    assert predicted.int8_tiling(16384, 512, (1, 1), 72) == ((128, 128), 1)
    high, _ = predicted.int8_tiling(16, 4096, (1, 1), 72).block
    assert high == 16


def test_tpu_never_counts_bits():
    assert choose("tpu", Shape(1, 4096, 4096, (1, 1))) == "tpu_int8"
    assert choose("tpu", Shape(1, 4096, 4096, (1, 1), (True, False))) == "lax_dot"


@pytest.mark.parametrize("platform", ["cpu", "gpu", "tpu"])
def test_empty_products_are_the_references(platform):
    for field in ("rows", "length", "columns"):
        shape = Shape(3, 3, 3, (1, 1))._replace(**{field: 0})
        assert choose(platform, shape) == "reference"


def test_what_cannot_run_falls_back_and_says_so_once():
    shape = Shape(3, 33, 7, (1, 1))
    dispatch._say_once.cache_clear()
    with pytest.warns(
        UserWarning, match="here: gpu_int8 needs a gpu, not a cpu; using"
    ):
        chosen = dispatch.resolve("here", "gpu_int8", "cpu", shape, False)
    assert chosen == choose("cpu", shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dispatch.resolve("here", "gpu_int8", "cpu", shape, False)
        assert dispatch.resolve("here", "gpu_int8", "cpu", shape, True) == "gpu_int8"
        assert dispatch.resolve("here", "gpu_int8", "cuda", shape, False) == "gpu_int8"


def test_ptx_is_chosen_where_jax_has_no_triton(monkeypatch):
    few, many = Shape(4, 16384, 16384, (1, 1)), Shape(64, 16384, 16384, (1, 1))
    monkeypatch.setattr(dispatch, "has_triton", lambda: False)
    assert [choose("gpu", shape) for shape in (few, many)] == [
        "ptx_popcount", "ptx_int8",
    ]  # fmt: skip
    # Still only where it is predicted to win by twice, and on no other platform.
    assert choose("gpu", Shape(1024, 1152, 128, (1, 1))) == "lax_dot"
    assert not choose("cpu", few).startswith("ptx")
    dispatch._say_once.cache_clear()
    with pytest.warns(UserWarning, match="gpu_int8 needs jax.*triton, which this JAX"):
        assert dispatch.resolve("x", "gpu_int8", "gpu", few, False) == "ptx_popcount"


def test_ptx_takes_no_operand_beyond_its_offsets(monkeypatch):
    # Columns of 2^15 words: 2^14 - 1 of them have less than 2^31 bytes, 2^14 have as many.
    monkeypatch.setattr(dispatch, "has_triton", lambda: False)
    within = Shape(4, 2**20, 2**14 - 1, (1, 1))
    beyond = within._replace(columns=2**14)
    assert choose("gpu", within) == "ptx_popcount"
    assert choose("gpu", beyond) == "lax_dot"
    dispatch._say_once.cache_clear()
    with pytest.warns(
        UserWarning, match="x: ptx_int8 takes operands of less than 2147"
    ):
        assert dispatch.resolve("x", "ptx_int8", "gpu", beyond, False) == "lax_dot"


def test_triton_is_kept_while_jax_has_it():
    assert dispatch.has_triton()
    assert choose("gpu", Shape(4, 16384, 16384, (1, 1))) == "gpu_popcount"


@pytest.mark.parametrize("interpret", [True, False])
def test_ptx_needs_a_gpu_and_is_not_interpreted(interpret):
    dispatch._say_once.cache_clear()
    shape = Shape(3, 33, 7, (1, 1))
    with pytest.warns(UserWarning, match="x: ptx_int8 needs a gpu, not a tpu; using"):
        chosen = dispatch.resolve("x", "ptx_int8", "tpu", shape, interpret)
    assert chosen == choose("tpu", shape)
    assert dispatch.resolve("x", "ptx_int8", "cuda", shape, interpret) == "ptx_int8"


def test_forced_back_end_for_an_empty_product_falls_back():
    dispatch._say_once.cache_clear()
    shape = Shape(0, 3, 3, (1, 1))
    with pytest.warns(UserWarning, match="takes no empty product .*rows=0"):
        chosen = dispatch.resolve("x", "lax_dot", "cpu", shape, False)
    assert chosen == "reference"


def test_unknown_back_end_is_refused():
    with pytest.raises(ValueError, match="x: backend must be .* got backend='fast'"):
        dispatch.resolve("x", "fast", "cpu", Shape(1, 1, 1, (1, 1)), False)


def test_unknown_platform_is_refused():
    with pytest.raises(
        ValueError, match="x: platform must be .* got platform='abacus'"
    ):
        dispatch.resolve("x", None, "abacus", Shape(1, 1, 1, (1, 1)), False)
