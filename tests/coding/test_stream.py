"""Codes come back from bits, as many as were counted; other bits are refused."""

import importlib.util

import jax
import numpy as np
import pytest

from flq_jax import coding
from flq_jax.coding.lengths import head_bits, range_bits

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("constriction") is None,
    reason="the extra flq_jax[entropy] is not installed",
)
RUNS = ((7, 20), (2, 300), (13, 5), (4, 500))


def message(seed):
    rng = np.random.default_rng(seed)
    rising = np.sort(rng.choice(128, 20, replace=False))
    parts = (
        rng.binomial(3, 0.1, 300),
        rng.integers(0, 2**13, 5),
        rng.binomial(15, 0.5, 500),
    )
    return np.concatenate([rising, *parts]).astype(np.uint32)


def test_codes_come_back_in_as_many_bits_as_were_counted():
    codes = np.stack([message(seed) for seed in range(20)])
    lengths = jax.jit(jax.vmap(lambda c: coding.num_bits(c, RUNS, 20)))(codes)
    assert int(lengths.max()) < sum(bits * count for bits, count in RUNS)
    for each, length in zip(codes, lengths):
        bits = coding.write(each, RUNS, 20, int(length))
        assert bits.shape == (length,)
        np.testing.assert_array_equal(coding.read(bits, RUNS, 20), each)


def test_bits_that_are_left_are_zeros():
    codes = message(0)
    bits = coding.write(codes, RUNS, 20, 9000)
    assert bits.shape == (9000,) and not bits[6000:].any()
    np.testing.assert_array_equal(coding.read(bits, RUNS, 20), codes)


@pytest.mark.parametrize("trials", [60, pytest.param(3000, marks=pytest.mark.repro)])
def test_what_is_charged_is_enough_for_any_frequencies_in_any_order(trials):
    """Sorted codes are the worst: a range that has shrunk stays small for long."""
    rng = np.random.default_rng(0)
    for _ in range(trials):
        bits, size = int(rng.integers(1, 9)), int(10 ** rng.uniform(0, 5))
        share = rng.dirichlet(np.full(2**bits, 10 ** rng.uniform(-2, 1)))
        if rng.random() < 0.5:
            rare = 10 ** rng.uniform(-5, -1)
            bits, share = 1, [1 - rare, rare]
        codes = rng.choice(2**bits, size, p=share)
        codes = np.sort(codes) if rng.random() < 0.5 else codes
        counts = np.bincount(codes, minlength=2**bits)
        ideal, lost = range_bits(counts, size, np)
        coded = head_bits(counts, bits, np) + int(np.ceil(ideal + lost)) + 2
        length = 1 + min(bits * size, int(coded))
        stream = coding.write(codes, ((bits, size),), 0, length)
        np.testing.assert_array_equal(coding.read(stream, ((bits, size),), 0), codes)


def test_too_few_bits_are_refused():
    codes = message(0)
    for length in (0, 100, 1500):
        with pytest.raises(coding.CodingError, match="need"):
            coding.write(codes, RUNS, 20, length)


def test_any_bits_are_refused_or_some_codes():
    """Random bits, and good ones of which some are changed."""
    rng = np.random.default_rng(0)
    good = coding.write(message(0), RUNS, 20, 2500)
    for i in range(2000):
        bits = rng.integers(0, 2, rng.integers(0, 3000)).astype(np.uint8)
        if i % 2:
            bits = good.copy()
            bits[rng.integers(0, 2500, 3)] ^= 1
        try:
            codes = coding.read(bits, RUNS, 20)
        except coding.CodingError as error:
            assert "\n" not in str(error)
        else:
            assert codes.shape == (825,) and codes.min() >= 0 and codes.max() < 2**13


@pytest.mark.parametrize(
    "bits, match",
    [
        ("1" + "01" + "00000" + "0000001", "below 6, got 6"),  # six zeros among five
        ("0" + "1010", "needs 5 bits, got 4"),
        ("", "needs 5 bits, got 0"),
    ],
)
def test_bits_that_no_codes_have_are_refused(bits, match):
    bits = np.array([int(bit) for bit in bits], np.uint8)
    with pytest.raises(coding.CodingError, match=match):
        coding.read(bits, ((1, 5),), 0)
