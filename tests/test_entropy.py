"""Entropies by hand; a coder that loses nothing and comes near them."""

import importlib.util

import jax
import numpy as np
import pytest

from flq_jax import entropy
from flq_jax.quantizers import uniform, uveqfed

needs_constriction = pytest.mark.skipif(
    importlib.util.find_spec("constriction") is None,
    reason="the extra flq_jax[entropy] is not installed",
)


@pytest.mark.parametrize(
    "codes, bits",
    [([7, 7, 7], 0.0), ([0, 1, 2, 3], 2.0), ([0, 0, 1, 2], 1.5), ([255, 0], 1.0)],
)
def test_entropy_by_hand(codes, bits):
    came = jax.jit(entropy.empirical_entropy)(np.array(codes, np.uint8))
    assert float(came) == pytest.approx(bits, abs=1e-6)


def test_entropy_maps_over_clients():
    codes = np.array([[0, 0], [0, 1]], np.uint8)
    came = jax.jit(jax.vmap(lambda c: entropy.empirical_entropy(c, 2)))(codes)
    np.testing.assert_allclose(came, [0.0, 1.0], atol=1e-6)


def test_more_codes_are_counted_than_f32_can():
    codes = np.zeros(9 * 2**21, np.uint8)
    assert entropy.empirical_entropy(codes, 2) == 0.0


def test_an_empty_alphabet_is_refused():
    with pytest.raises(ValueError, match="num_symbols=0"):
        entropy.empirical_entropy(np.zeros(3, np.uint8), 0)


@needs_constriction
@pytest.mark.parametrize(
    "codes", [[5], [3, 3, 3], [0, 4095], [1, 0, 1, 1, 2, 9, 0], list(range(256))]
)
def test_coding_loses_nothing(codes):
    data = entropy.compress(np.array(codes))
    np.testing.assert_array_equal(entropy.decompress(data), codes)


@needs_constriction
@pytest.mark.parametrize("quantizer", [uniform(4), uveqfed("hexagonal", 4)])
def test_the_coder_comes_near_the_entropy_and_below_the_packed_width(quantizer, key):
    d = 20_000
    x = np.random.default_rng(0).standard_normal(d, np.float32) ** 3
    codes = np.asarray(jax.jit(quantizer.encode)(key, x).codes)
    data = entropy.compress(codes)
    np.testing.assert_array_equal(entropy.decompress(data), codes)
    histogram = 6 + 4 * (int(codes.max()) + 1)
    achieved = 8 * (len(data) - histogram) / d
    ideal = float(entropy.empirical_entropy(codes))
    assert ideal - 1e-3 <= achieved <= ideal + 0.01 < 4


@pytest.mark.parametrize(
    "codes, came",
    [
        (np.zeros(0, np.uint8), "none"),
        (np.int64([-1, 2]), r"-1\.\.2"),
        (np.uint32([7, 4096]), r"7\.\.4096"),
    ],
)
@needs_constriction
def test_codes_outside_the_alphabet_are_refused(codes, came):
    match = rf"needs codes in 0\.\.4095, at least one, got {came}$"
    with pytest.raises(ValueError, match=match):
        entropy.compress(codes)


@needs_constriction
def test_more_codes_than_the_header_counts_are_refused():
    with pytest.raises(ValueError, match=r"fewer than 2\*\*32 codes .* 4,294,967,296"):
        entropy.compress(np.broadcast_to(np.uint8(0), (2**32,)))


@needs_constriction
@pytest.mark.parametrize(
    "spoil, match",
    [
        (lambda data: data[:3], "needs 6 bytes, got 3"),
        (lambda data: data[:-1], "and words"),
        (lambda data: b"\x09" + data[1:], "must add up to 9, got 5"),
    ],
)
def test_bytes_that_cannot_be_are_refused(spoil, match):
    with pytest.raises(ValueError, match=match):
        entropy.decompress(spoil(entropy.compress(np.array([0, 1, 2, 0, 0]))))


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "constriction", None)
    with pytest.raises(ImportError, match=r"flq_jax\[entropy\]"):
        entropy.compress(np.array([1, 2]))
