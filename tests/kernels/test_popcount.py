import functools
import itertools
import re

import jax
import numpy as np
import pytest

from flq_jax.kernels import popcount


def words(shape, seed=0):
    numbers = np.random.default_rng(seed).integers(-(2**31), 2**31, shape)
    return numbers.astype(np.int32)


def ones(x):
    """Bits that are set, by numpy."""
    as_bytes = np.ascontiguousarray(x)[..., None].view(np.uint8)
    return np.unpackbits(as_bytes, axis=-1).sum(-1).astype(np.int64)


def expected(a, b, op):
    a, b = np.asarray(a), np.asarray(b)
    return sum(
        2 ** (i + j) * ones(op(a[i][:, :, None], b[j][None])).sum(1)
        for i in range(a.shape[0])
        for j in range(b.shape[0])
    )


@pytest.mark.parametrize("num_terms", [1, 2, 3, 7, 24])
def test_tree_counts_what_plain_counting_counts(num_terms):
    terms = {0: list(words((num_terms, 50))), 2: list(words((2, 50), seed=1))}
    total = sum(ones(x) << e for e, listed in terms.items() for x in listed)
    count = popcount.weighted_popcount
    for found in jax.jit(lambda terms: (count(terms, False), count(terms, True)))(
        terms
    ):
        np.testing.assert_array_equal(found, total)


@pytest.mark.parametrize(
    "rows, num_words, columns, case",
    [
        (3, 40, 20, "unrolled"),
        (3, 48, 20, "whole chunks"),
        (3, 49, 20, "no whole chunks fit"),
        (20, 3, 4, "rows on the lanes"),
        (2, 2, 1024, "too few words for tiles"),
        (2, 12, 1024, "tiles"),
        (2, 13, 1024, "tiles with a rest"),
        (2, 41, 512, "tiles of few columns, whose chunks are large"),
    ],
)
def test_every_form_counts_the_same(rows, num_words, columns, case):
    a, b = words((1, rows, num_words)), words((1, num_words, columns), seed=1)

    @jax.jit
    def counts(a, b):
        flags = itertools.product((True, False), repeat=2)
        return {each: popcount.counts(a, b, *each) for each in flags}

    wanted = {
        True: expected(a, b, np.bitwise_xor),
        False: expected(a, b, np.bitwise_and),
    }
    for (binary, tree), result in counts(a, b).items():
        what = f"{case}, {binary=}, {tree=}"
        np.testing.assert_array_equal(result, wanted[binary], err_msg=what)


def test_planes_weigh_by_their_places():
    a, b = words((2, 3, 44)), words((3, 44, 17), seed=1)
    result = jax.jit(popcount.counts, static_argnums=(2, 3))(a, b, False, True)
    np.testing.assert_array_equal(result, expected(a, b, np.bitwise_and))


@pytest.mark.parametrize("planes_a", [1, 2, 4, 8])
@pytest.mark.parametrize("planes_b", [1, 2, 4, 8])
def test_scanned_chunks_have_sixteen_slices(planes_a, planes_b):
    for num_words in range(41, 300):
        chunk = popcount.chunk_words(num_words, planes_a, planes_b)
        assert chunk * planes_b >= 16
        assert chunk * planes_a * planes_b <= max(24, 16 * planes_a + 8 * planes_a)


def counting_code(rows, num_words, columns):
    """What XLA:CPU fuses with the counting of bits: the bodies of its loops."""
    a, b = words((1, rows, num_words)), words((1, num_words, columns))
    count = functools.partial(popcount.counts, binary=True, tree=False)
    compiled = jax.jit(count).lower(a, b).compile().as_text()
    bodies = [body for body in compiled.split("\n\n") if "popcnt(" in body]
    assert bodies
    return bodies


def slow_forms(bodies):
    """Which of the forms stand in them that are compiled to scalar code."""
    forms = ("dynamic-slice(", " reduce(", "concatenate(")
    return {form for form in forms for body in bodies if form in body}


@pytest.mark.parametrize(
    "shape", [(256, 144, 512), (256, 36, 128), (256, 36, 512), (256, 32, 1024)]
)
def test_counting_is_fused_with_nothing_that_spoils_it(shape):
    """A canary: another XLA may fuse otherwise, and be many times slower."""
    assert not slow_forms(counting_code(*shape))


def test_chunks_of_few_slices_would_be_fused_with_their_slicing(monkeypatch):
    monkeypatch.setattr(popcount, "CHUNK_SLICES", (4, 8))
    assert slow_forms(counting_code(256, 144, 512)) == {"dynamic-slice("}


def test_tiles_are_copies(monkeypatch):
    """Read where they lie, rows of 4 KiB would evict each other from the cache."""

    def reads_wide_rows():
        bodies = counting_code(256, 32, 1024)
        return any(re.search(r",1024\]\S* parameter\(", body) for body in bodies)

    assert not reads_wide_rows()
    whole = popcount._counts
    monkeypatch.setattr(
        popcount,
        "_counts",
        lambda a, b, binary, tree, chunk: whole(a, b, binary, tree, 32),
    )
    assert reads_wide_rows()
