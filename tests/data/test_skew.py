"""Splits whose clients differ do so as their distributions say."""

import numpy as np
import pytest

from flq_jax.data import skew
from flq_jax.data.partition import dirichlet, quantity_skew, shards, summary

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
