"""Rotations are orthonormal, their own way back, and the same at both ends."""

import jax
import numpy as np
import pytest
import scipy.linalg

from flq_jax.quantizers import drive, uveqfed
from flq_jax.quantizers.folding import equal_widths, fold, folded_layout, unfold
from flq_jax.quantizers.rotation import hadamard, padded_size, rotate, unrotate

rotated = jax.jit(rotate)


def normal(n):
    return np.random.default_rng(0).standard_normal(n).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 32, 64, 1024, 4096])
def test_hadamard_is_scipys_over_the_root_of_n(n):
    x = normal(n)
    expected = scipy.linalg.hadamard(n) @ np.asarray(x, np.float64) / np.sqrt(n)
    np.testing.assert_allclose(jax.jit(hadamard)(x), expected, atol=2e-5)


@pytest.mark.parametrize("n", [2, 64, 512])
def test_rotations_are_orthonormal(n, key):
    columns = jax.jit(jax.vmap(rotate, in_axes=(None, 0)))
    matrix = np.asarray(columns(key, np.eye(n, dtype=np.float32)))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(n), atol=1e-5)


@pytest.mark.parametrize("d", [1, 2, 3, 100, 1025])
def test_unrotate_is_the_way_back_and_norms_stay(d, key):
    x = normal(d)

    @jax.jit
    def there_and_back(key, x):
        z = rotate(jax.random.clone(key), x)
        return z, unrotate(key, z, d)

    z, back = map(np.asarray, there_and_back(key, x))
    assert z.size == padded_size(d) < 2 * d or d == z.size
    np.testing.assert_allclose(np.vdot(z, z), np.vdot(x, x), rtol=1e-5)
    np.testing.assert_allclose(back, x, atol=1e-5)


def test_a_spike_spreads_evenly_with_signs_of_the_key():
    ones, spike = np.ones(1024, np.float32), np.eye(1024, dtype=np.float32)[3]
    z = [np.asarray(rotated(jax.random.key(seed), ones)) for seed in range(2)]
    assert abs(np.vdot(*z)) < 5 * 1024**0.5
    for seed in range(2):
        spread = np.asarray(rotated(jax.random.key(seed), spike))
        np.testing.assert_allclose(np.abs(spread), 1024**-0.5, rtol=1e-5)


@pytest.mark.parametrize("quantizer", [drive(), uveqfed("hexagonal", 4)])
def test_no_product_is_left_to_a_tpu_to_round(quantizer, key):
    def roundtrip(key, x):
        return quantizer.decode(jax.random.clone(key), quantizer.encode(key, x))

    lowered = jax.jit(roundtrip).lower(key, np.zeros(65, np.float32)).as_text()
    products = [line for line in lowered.splitlines() if "dot_general" in line]
    assert len(products) >= 4
    assert all("precision = [HIGHEST, HIGHEST]" in line for line in products)


def test_lengths_that_are_no_power_of_two_are_refused():
    with pytest.raises(ValueError, match="n=6"):
        hadamard(np.ones(6, np.float32))


@pytest.mark.parametrize("d", [1, 5, 8, 100])
def test_folding_keeps_every_bit(d):
    n = padded_size(d)
    ends = (0, 1), (1, 1), (3, 4), (8, 8)
    widths = [((high, n // 3), (low, n - n // 3)) for low, high in ends]
    rng, apart = np.random.default_rng(0), [np.repeat(*zip(*each)) for each in widths]
    codes = [rng.integers(0, 2**each).astype(np.uint32) for each in apart]

    @jax.jit
    def there_and_back(codes):
        folded = [fold(*each, d) for each in zip(codes, widths)]
        return folded, [unfold(*each) for each in zip(folded, widths)]

    for each, code, folded, back in zip(widths, codes, *there_and_back(codes)):
        layout = folded_layout("any", each, d, 0)
        assert folded.shape == (d,) == (layout.num_codes,)
        assert layout.code_bits == sum(bits * count for bits, count in each)
        np.testing.assert_array_equal(back, code)


def test_equal_widths_are_those_of_the_padded_vector():
    assert equal_widths(3, 5) == ((3, 8),)


def test_what_has_no_index_when_padded_is_refused():
    assert padded_size(2**30) == 2**30
    with pytest.raises(ValueError, match="fewer than 2\\*\\*31 .*got 2,147,483,648"):
        padded_size(2**30 + 1)
