import functools
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more

from flq_jax.kernels import Codes, as_signs, bit_conv, bit_matmul, dispatch, dot, pack


def test_orthogonal_signs_by_hand():
    a = np.asarray([[1.0, -1.0, 1.0, -1.0]])
    b = np.asarray([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, -1.0]])

    @jax.jit
    def products(a, b):
        a, b = as_signs(a), as_signs(b)
        backends = ("reference", "lax_popcount", "lax_dot")
        return [bit_matmul(a, b, backend=backend) for backend in backends]

    for result in products(a, b):
        np.testing.assert_array_equal(result, [[0, 4]])


def test_dorefa_weights_and_activations_are_a_scale_away(oracle):
    """w in [-1, 1] on 2**2 levels, a in [0, 1] on 2**3: w a = integers / (3 * 7)."""
    a, w = oracle.operand((4, 50), 3, False), oracle.operand((50, 6), 2, True)
    real = (np.asarray(a.codes) / 7) @ (2 * np.asarray(w.codes) / 3 - 1)
    product = jax.jit(lambda a, w: bit_matmul(pack(a), pack(w, -2)))
    np.testing.assert_allclose(np.asarray(product(a, w)) / (3 * 7), real, atol=1e-5)


def largest(length):
    """(a, b, a b) of 8 bits, all at the top of their range but for one less."""
    codes = np.full(length, 255, np.uint8)
    less = np.where(np.arange(length) == 0, 254, codes).astype(np.uint8)
    a, b = Codes(codes[None], 8, False), Codes(less[:, None], 8, False)
    return a, b, 255 * (255 * length - 1)


DTYPES = (jnp.float32, jnp.bfloat16, jnp.int8)


def test_largest_sums_are_exact_where_f32_would_round():
    """255 * 255 * 33,025 is the last below 2**31, far above f32's 2**24.

    Without jit: that would compile each of 129 pieces of the sum.
    """
    a, b, product = largest(33025)
    for dtype in DTYPES:
        assert np.asarray(dot.matmul(a, b, dtype)).item() == product


def test_sums_of_few_pieces_are_exact_where_f32_would_round():
    a, b, product = largest(1033)
    for found in jax.jit(lambda a, b: [dot.matmul(a, b, dt) for dt in DTYPES])(a, b):
        assert np.asarray(found).item() == product


def test_the_reference_has_no_integer_convolution(oracle):
    """For a GPU there is none."""
    x, w = oracle.operand((1, 3, 3, 2), 2, True), oracle.operand((2, 2, 2, 3), 1, True)
    lowered = jax.jit(functools.partial(bit_conv, backend="reference")).lower(x, w)
    assert "dot_general" in lowered.as_text()
    assert "convolution" not in lowered.as_text()


@pytest.mark.parametrize("off", [-0.4, 0.4])
def test_products_a_little_off_are_rounded_to_whole_ones(oracle, monkeypatch, off):
    """A convolution by Winograd's algorithm gives 0.999 for 1, and -0.999 for -1."""
    for name in ("dot", "conv_general_dilated"):
        exact = getattr(jax.lax, name)
        inexact = functools.partial(
            lambda f, *a, **options: f(*a, **options) + off, exact
        )
        monkeypatch.setattr(jax.lax, name, inexact)
    a, b = oracle.operand((3, 5), 1, True), oracle.operand((5, 4), 1, True)
    np.testing.assert_array_equal(dot.matmul(a, b), oracle.matmul(a, b))
    x, w = oracle.operand((1, 3, 3, 2), 2, True), oracle.operand((2, 2, 2, 3), 1, True)
    found = bit_conv(x, w, padding="VALID", backend="lax_dot", platform="gpu")
    expected = oracle.conv(x, w, 1, 1, "VALID", 1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "bits, length", [((8, 8), 258), ((1, 1), 2**24 - 1), ((4, 8), 4386)]
)
def test_sums_are_cut_where_f32_would_round(bits, length):
    """(2^24 - 1) // (255 255), // 1 and // (15 255)."""
    assert dot.exact_length(*bits) == length


@pytest.mark.parametrize(
    "length, ends", [(5, [5]), (6, [6]), (7, [4, 7]), (13, [5, 10, 13])]
)
def test_pieces_cover_a_sum(length, ends):
    pieces = dot._pieces(length, 6)
    assert [0, *ends[:-1]] == [piece.start for piece in pieces]
    assert ends == [min(piece.stop, length) for piece in pieces]


@pytest.mark.parametrize(
    "bits, length, dtype, products",
    [
        ((1, 1), 2**24 - 1, jnp.float32, 1),
        ((8, 8), 258, jnp.float32, 1),
        ((8, 8), 259, jnp.float32, 2),
        ((8, 8), 4113, jnp.float32, 4),
        ((7, 7), 9000, jnp.int8, 1),
        ((8, 7), 9000, jnp.int8, 2),
        ((8, 8), 9000, jnp.int8, 4),
    ],
)
def test_operands_are_split_no_more_than_needed(bits, length, dtype, products):
    assert dot.num_products(*bits, length, dtype) == products


@pytest.mark.parametrize(
    "backend, bits",
    [
        ("gpu_popcount", (1, 1)),
        ("tpu_popcount", (2, 3)),
        ("gpu_int8", (8, 8)),
        more("gpu_popcount", (2, 3)),
        more("tpu_popcount", (1, 1)),
        more("tpu_int8", (8, 8)),
    ],
)
def test_pallas_back_ends_are_exact_on_values(oracle, backend, bits):
    signed = (bits[0] == 1, True)
    options = {"backend": backend, "platform": backend[:3], "interpret": True}
    a = oracle.operand((5, 70), bits[0], signed[0])
    b = oracle.operand((70, 9), bits[1], signed[1])
    product = jax.jit(functools.partial(bit_matmul, **options))
    np.testing.assert_array_equal(product(a, b), oracle.matmul(a, b))
    x = oracle.operand((2, 5, 6, 34), bits[0], signed[0])
    w = oracle.operand((3, 3, 17, 4), bits[1], signed[1])
    result = jax.jit(functools.partial(bit_conv, stride=2, groups=2, **options))(x, w)
    np.testing.assert_array_equal(result, oracle.conv(x, w, 2, 1, "SAME", 2))


def test_products_need_no_triton():
    """A GPU's back ends and a TPU's are found where importing Triton fails."""
    code = f"""
import sys
sys.modules[{dispatch.TRITON!r}] = None
import jax, jax.numpy as jnp
from flq_jax.kernels import as_signs, bit_matmul, pack
ones = as_signs(jnp.ones((64, 64)))
for backend, platform in (("ptx_int8", "cuda"), ("tpu_int8", "tpu")):
    way = {{"backend": backend, "platform": platform}}
    run = jax.jit(lambda a, b: bit_matmul(pack(a), pack(b, -2), **way))
    run.trace(ones, ones).lower(lowering_platforms=(platform,))
print("lowered")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False
    )
    assert done.stdout == "lowered\n", done.stderr


def test_empty_products(oracle):
    a, b = oracle.operand((3, 0), 1, True), oracle.operand((0, 2), 1, True)
    np.testing.assert_array_equal(bit_matmul(a, b), np.zeros((3, 2)))


def test_results_near_32_bits_are_refused(oracle):
    a = oracle.operand((1, 33026), 8, False)
    b = oracle.operand((33026, 1), 8, False)
    with pytest.raises(ValueError, match="bit_matmul: results .*33026 products of 8"):
        bit_matmul(a, b)


def test_lengths_that_differ_are_refused(oracle):
    a, b = oracle.operand((2, 33), 1, True), oracle.operand((34, 2), 1, True)
    with pytest.raises(
        ValueError, match=r"must share k, got a of \(2, 33\).*\(34, 2\)"
    ):
        jax.eval_shape(lambda a, b: bit_matmul(pack(a), pack(b, -2)), a, b)


def test_wrong_packed_axis_is_refused(oracle):
    a, b = oracle.operand((2, 33), 1, True), oracle.operand((33, 2), 1, True)
    with pytest.raises(ValueError, match="b must be packed along axis=-2, got .*=-1"):
        jax.eval_shape(lambda a, b: bit_matmul(a, pack(b)), a, b)


def test_wrong_rank_is_refused(oracle):
    a = oracle.operand((2, 3, 4), 1, True)
    with pytest.raises(ValueError, match=r"a must have rank 2, got shape \(2, 3, 4\)"):
        bit_matmul(a, a)


def test_plain_arrays_are_refused():
    with pytest.raises(TypeError, match="a must be Codes or Packed .* got a Array"):
        bit_matmul(*map(jnp.asarray, np.ones((2, 2, 2), np.float32)))


@pytest.mark.parametrize("groups, channels, outputs", [(2, 3, 4), (3, 2, 4), (0, 2, 4)])
def test_groups_that_do_not_fit_are_refused(oracle, groups, channels, outputs):
    x = oracle.operand((1, 5, 5, 6), 1, True)
    w = oracle.operand((3, 3, channels, outputs), 1, True)
    if groups == 2:
        w = oracle.operand((3, 3, channels + 1, outputs), 1, True)
    with pytest.raises(
        ValueError, match=f"bit_conv: groups must .* got groups={groups}"
    ):
        bit_conv(x, w, groups=groups)


def test_images_packed_in_other_groups_are_refused(oracle):
    x, w = oracle.operand((1, 5, 5, 6), 1, True), oracle.operand((3, 3, 3, 4), 1, True)
    with pytest.raises(ValueError, match="packed with groups=2, got x.groups=1"):
        jax.eval_shape(lambda x, w: bit_conv(pack(x), w, groups=2), x, w)


def test_clients_share_one_compilation(oracle):
    """vmap over clients' own weights equals client by client."""
    x = oracle.operand((3, 2, 6, 6, 5), 2, False)
    w = oracle.operand((3, 3, 3, 5, 4), 1, True)
    together = jax.jit(jax.vmap(bit_conv))(x, w)
    np.testing.assert_array_equal(together, oracle.conv(x, w, 1, 1, "SAME", 1))
