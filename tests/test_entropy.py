"""Entropies by hand; a coder that loses nothing and comes near them."""

import importlib.util

import hostile
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
    np.testing.assert_array_equal(entropy.decompress(data, len(codes)), codes)


@needs_constriction
@pytest.mark.parametrize("quantizer", [uniform(4), uveqfed("hexagonal", 4)])
def test_the_coder_comes_near_the_entropy_and_below_the_packed_width(quantizer, key):
    d = 20_000
    x = np.random.default_rng(0).standard_normal(d, np.float32) ** 3
    codes = np.asarray(jax.jit(quantizer.encode)(key, x).codes)
    data = entropy.compress(codes)
    np.testing.assert_array_equal(entropy.decompress(data, len(codes)), codes)
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


GOOD = [0, 1, 2, 0, 0]


@needs_constriction
def test_more_codes_than_the_header_counts_are_refused():
    with pytest.raises(ValueError, match=r"fewer than 2\*\*32 codes .* 4,294,967,296"):
        entropy.compress(np.broadcast_to(np.uint8(0), (2**32,)))


@needs_constriction
@pytest.mark.parametrize(
    "spoil, match",
    [
        (lambda data: data[:3], ">= 6 bytes, got 3"),
        (lambda data: data[:-1], "bytes and words"),
        (lambda data: b"\x09" + data[1:], "number of codes must be in 1..8, got 9"),
        (lambda data: b"\x08" + data[1:], "must be 8, got 5"),
        (lambda data: b"\0" + data[1:], "number of codes must be in 1..8, got 0"),
        (lambda data: data[:4] + b"\xff\xff" + data[6:], "must be 4096, got 65535"),
        (lambda data: data + bytes(8), "words must be used up"),
        (
            lambda data: entropy.compress(np.array([3])) + bytes(4),
            "none for one symbol",
        ),
    ],
)
def test_bytes_that_cannot_be_are_refused(spoil, match):
    with pytest.raises(ValueError, match=f"decompress: .*{match}"):
        entropy.decompress(spoil(entropy.compress(np.array(GOOD))), 8)


@needs_constriction
def test_ten_bytes_do_not_ask_for_32_gigabytes():
    """One symbol, 2^32 - 1 times."""
    bomb = b"\xff\xff\xff\xff" + b"\x01\0" + b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="in 1..1000, got 4294967295"):
        entropy.decompress(bomb, 1000)


@needs_constriction
@pytest.mark.parametrize(
    "count", [2_000, pytest.param(200_000, marks=pytest.mark.repro)]
)
def test_damaged_bytes_are_refused_or_of_the_told_counts(count):
    rng = np.random.default_rng(0)
    goods = [entropy.compress(rng.integers(0, k, n)) for k, n in ((2, 50), (16, 300))]
    for i in range(count):
        data = hostile.damaged(goods[i % 2], rng)
        try:
            codes = entropy.decompress(data, 300)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert 1 <= codes.size <= 300 and codes.max() < 4096


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "constriction", None)
    with pytest.raises(ImportError, match=r"flq_jax\[entropy\]"):
        entropy.compress(np.array([1, 2]))
