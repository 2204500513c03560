"""Splits whose clients differ do so as their distributions say."""

import numpy as np
import pytest

from flq_jax.data import skew
from flq_jax.data.partition import dirichlet, k_labels, quantity_skew, shards, summary

LABELS = np.arange(1000, dtype=np.int32) * 7 % 10


def sizes(parts):
    return [len(part) for part in parts]


def test_shards_of_one_label_each_give_few_labels_to_a_client():
    """1000 rows, 10 even labels: 20 shards of 50 rows hold one label each."""
    histogram = summary(shards(LABELS, 10, 1), LABELS).histogram
    assert np.all(histogram % 50 == 0)
    assert np.all(histogram.sum(1) == 100)
    assert np.all((histogram > 0).sum(1) <= 2)


@pytest.mark.parametrize("shards_per_client", [0, 101])
def test_shards_that_do_not_fit_are_refused(shards_per_client):
    with pytest.raises(ValueError, match=f"1000 examples.*{shards_per_client=}"):
        shards(LABELS, 10, 0, shards_per_client=shards_per_client)


def histogram_of_k(clients, k, seed=0):
    parts = k_labels(LABELS, clients, seed, k=k)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert all(np.all(np.diff(part) > 0) for part in parts)
    return summary(parts, LABELS).histogram


@pytest.mark.parametrize(
    "clients, k", [(3, 4), (5, 2), (10, 1), (10, 3), (23, 2), (7, 10)]
)
def test_each_client_has_k_labels_and_each_label_a_holder(clients, k):
    """100 rows a label, in shares that differ by one at most."""
    histogram = histogram_of_k(clients, k)
    assert ((histogram > 0).sum(axis=1) == k).all()
    assert (histogram.sum(axis=0) == 100).all()
    for counts in histogram.T:
        shares = counts[counts > 0]
        assert shares.max() - shares.min() <= 1


def test_k_labels_where_only_one_count_can_be():
    """Of one label a client, 10 clients hold a whole one each and 20 half of one; of all
    labels, 4 clients a quarter of each."""
    assert (np.sort(histogram_of_k(10, 1), axis=0)[-1] == 100).all()
    assert (np.sort(histogram_of_k(20, 1), axis=0)[-3:].T == [0, 50, 50]).all()
    assert (histogram_of_k(4, 10) == 25).all()
    # Two clients of five labels each share nothing, or a label would be nobody's.
    assert (np.sort(histogram_of_k(2, 5), axis=0).T == [0, 100]).all()


def test_each_label_is_as_likely_as_another():
    """Of 10 labels a client of 2 holds label 0 in a fifth of the draws, by symmetry."""
    held = [histogram_of_k(10, 2, seed)[0, 0] > 0 for seed in range(200)]
    assert abs(np.sum(held) - 40) <= 5 * (200 * 0.2 * 0.8) ** 0.5


def test_which_rows_a_holder_has_is_drawn():
    labels = np.zeros(60, np.int32)
    first = {tuple(k_labels(labels, 2, seed, k=1)[0]) for seed in range(3)}
    assert len(first) == 3 and {len(part) for part in first} == {30}


@pytest.mark.parametrize(
    "clients, k", [(5, 0), (5, 11), (5, 1), (3, 3), (5, 2.0), (5, True)]
)
def test_labels_that_cannot_be_so_many_are_refused(clients, k):
    match = f"k_labels: k must be in 1..10, .* got {k=} {clients=}"
    with pytest.raises(ValueError, match=match):
        k_labels(LABELS, clients, k=k)


def test_a_label_with_fewer_examples_than_holders_is_refused():
    labels = np.array([0] * 9 + [4] * 2, np.int32)
    with pytest.raises(ValueError, match="k_labels: .* got 2 of label 4 for 3 clients"):
        k_labels(labels, 3, k=2)
    with pytest.raises(ValueError, match="k_labels: labels must be classes"):
        k_labels(labels.astype(np.float32), 3, k=2)
    with pytest.raises(ValueError, match=r"k_labels: clients must be in 1..11.*=12"):
        k_labels(labels, 12, k=2)


def test_dirichlet_shares_have_the_moments_of_the_distribution():
    """Of Dir_M(alpha): mean 1/M, variance (1/M)(1 - 1/M) / (M alpha + 1).

    Rounding to whole rows moves a share of a class of 100 by at most 1/100, and a sum
    of squares over 2000 shares estimates the variance to a few percent.
    """
    clients, alpha = 4, 2.0
    histograms = [
        summary(dirichlet(LABELS, clients, s, alpha=alpha), LABELS).histogram
        for s in range(200)
    ]
    shares = np.stack(histograms)[:, 0] / 100
    variance = (1 / clients) * (1 - 1 / clients) / (clients * alpha + 1)
    assert abs(shares.mean() - 1 / clients) <= 5 * (variance / shares.size) ** 0.5
    assert abs(shares.var() / variance - 1) <= 0.2


def test_dirichlet_of_a_tiny_alpha_gives_each_class_to_one_client():
    parts = dirichlet(LABELS, 5, 0, alpha=1e-30)
    histogram = summary(parts, LABELS).histogram
    assert np.all((histogram > 0).sum(0) == 1)


def test_dirichlet_of_a_huge_alpha_gives_all_the_same_mix():
    parts = dirichlet(LABELS, 5, 0, alpha=1e9)
    assert np.all(np.abs(summary(parts, LABELS).histogram - 20) <= 1)


def test_quantity_skew_sizes_have_the_variance_of_the_distribution():
    clients, alpha = 4, 2.0
    shares = [
        sizes(quantity_skew(LABELS, clients, s, alpha=alpha))[0] / 1000
        for s in range(1000)
    ]
    variance = (1 / clients) * (1 - 1 / clients) / (clients * alpha + 1)
    assert abs(np.mean(shares) - 1 / clients) <= 5 * (variance / 1000) ** 0.5
    assert abs(np.var(shares) / variance - 1) <= 0.25


def test_quantity_skew_shuffles():
    """Of rows sorted by label, half of all rows hold a hypergeometric count of one."""
    labels = np.repeat(np.arange(2, dtype=np.int32), 500)
    part = quantity_skew(labels, 2, 0, alpha=1e9)[0]
    assert abs(len(part) - 500) <= 1
    variance = 500 * 0.25 * 500 / 999
    assert abs(np.sum(labels[part] == 0) - 250) <= 5 * variance**0.5 + 1


skewed = pytest.mark.parametrize("deal", [dirichlet, quantity_skew])


@skewed
def test_min_size_holds_for_every_client(deal):
    for seed in range(10):
        plain = min(sizes(deal(LABELS, 10, seed, alpha=0.5)))
        assert min(sizes(deal(LABELS, 10, seed, alpha=0.5, min_size=20))) >= 20
        if plain < 20:
            return
    pytest.fail("no seed needed min_size: the test shows nothing")


@skewed
@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf"), 1e10])
def test_alpha_out_of_range_is_refused(deal, alpha):
    with pytest.raises(ValueError, match=rf"{deal.__name__}: .*\(0, 1e\+09\].*{alpha}"):
        deal(LABELS, 5, 0, alpha=alpha)


@skewed
@pytest.mark.parametrize("min_size", [-1, 101])
def test_min_size_out_of_range_is_refused(deal, min_size):
    with pytest.raises(ValueError, match=f"{deal.__name__}: .*1000 ex.*{min_size=}"):
        deal(LABELS, 10, 0, alpha=1.0, min_size=min_size)


@skewed
def test_min_size_that_never_happens_is_given_up(deal, monkeypatch):
    monkeypatch.setattr(skew, "MAX_DRAWS", 3)
    with pytest.raises(ValueError, match="within 3 draws.*min_size=100: take a larger"):
        deal(LABELS, 10, 0, alpha=0.01, min_size=100)
