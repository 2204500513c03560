import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax.kernels import Codes, as_codes, as_signs, pack, unpack
from flq_jax.kernels.packing import code_sums, num_words


def codes_of(shape, bits, seed=0):
    return np.random.default_rng(seed).integers(0, 2**bits, shape).astype(np.uint8)


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100])
def test_words_are_little_endian_bits_and_the_rest_is_zero(length):
    codes = codes_of((3, length), 1)
    packed = jax.jit(lambda codes: pack(as_codes(codes, 1)))(codes)
    padded = np.pad(codes, ((0, 0), (0, 32 * num_words(length) - length)))
    expected = np.packbits(padded, axis=-1, bitorder="little").view("<i4")
    np.testing.assert_array_equal(packed.words, expected[None])


@pytest.mark.parametrize(
    "bits, axis, groups",
    [(1, -1, 1), (2, -2, 1), (3, -1, 3), (4, -1, 1), (5, -2, 2), (8, -3, 1)],
)
def test_unpacking_restores_the_codes(bits, axis, groups):
    codes = Codes(codes_of((4, 38, 39), bits), bits, signed=True)

    @jax.jit
    def both(codes):
        packed = pack(codes, axis, groups)
        return packed, unpack(packed)

    packed, restored = both(codes)
    words = groups * num_words(codes.codes.shape[axis] // groups)
    assert packed.words.dtype == jnp.int32 and packed.words.shape[axis] == words
    assert (restored.bits, restored.signed) == (bits, True)
    np.testing.assert_array_equal(restored.codes, codes.codes)


def test_plane_j_holds_bit_j():
    packed = pack(as_codes(jnp.asarray([[5, 0, 6]]), 3))
    np.testing.assert_array_equal(packed.words[:, 0, 0], [0b001, 0b100, 0b101])


def test_packing_under_vmap_is_packing_row_by_row():
    codes = codes_of((5, 6, 70), 3)

    def packed(codes):
        return pack(as_codes(codes, 3), -2)

    batch = jax.jit(jax.vmap(packed))(codes)
    assert batch.length == 6
    alone = jax.jit(packed)
    for i, words in enumerate(np.asarray(batch.words)):
        np.testing.assert_array_equal(words, alone(codes[i]).words)
    restored = jax.jit(jax.vmap(unpack))(batch)
    np.testing.assert_array_equal(restored.codes, codes)


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_values_span_the_grid(bits):
    codes, n = np.arange(2**bits), 2**bits - 1

    @jax.jit
    def values(codes):
        return as_codes(codes, bits).values, as_codes(codes, bits, signed=True).values

    unsigned, signed = values(codes)
    np.testing.assert_array_equal(unsigned, np.arange(n + 1))
    np.testing.assert_array_equal(signed, np.arange(-n, n + 1, 2))


def test_zero_has_a_positive_sign():
    signs = jax.jit(lambda x: as_signs(x).values)(np.array([-2.0, -0.0, 0.0, 1.5]))
    np.testing.assert_array_equal(signs, [-1, 1, 1, 1])


def test_code_sums_are_by_group():
    codes = codes_of((2, 3, 66), 5)
    sums = jax.jit(lambda codes: code_sums(pack(Codes(codes, 5, False), -1, groups=2)))
    expected = codes.astype(int).reshape(2, 3, 2, 33).sum(-1)
    np.testing.assert_array_equal(sums(codes), expected)


def test_codes_above_their_width_are_cut():
    cut = jax.jit(lambda codes: as_codes(codes, 2).codes)(np.array([7]))
    assert np.array_equal(cut, [3])


@pytest.mark.parametrize("bits", [0, 9, True, 2.0])
def test_width_outside_1_to_8_is_refused(bits):
    with pytest.raises(ValueError, match=f"as_codes: bits .* 1..8, got bits={bits}"):
        as_codes(np.zeros(3, int), bits)


def test_float_codes_are_refused():
    with pytest.raises(ValueError, match="as_codes: codes must be integers .*float32"):
        as_codes(np.zeros(3, np.float32), 2)


def test_bool_signs_are_refused():
    with pytest.raises(ValueError, match="as_signs: x must be numbers.*bool"):
        as_signs(np.zeros(3, bool))


@pytest.mark.parametrize("axis", [0, 1, -3])
def test_axis_not_counted_from_the_end_is_refused(axis):
    with pytest.raises(ValueError, match=f"pack: axis must be in -2..-1.*axis={axis}"):
        pack(Codes(np.zeros((2, 3), np.uint8), 1, True), axis)


@pytest.mark.parametrize("groups", [0, 2])
def test_groups_that_do_not_divide_are_refused(groups):
    with pytest.raises(ValueError, match=f"pack: groups .* of 3, got groups={groups}"):
        pack(Codes(np.zeros((2, 3), np.uint8), 1, True), groups=groups)
