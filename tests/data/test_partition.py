"""Every way to deal the rows deals each of them once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flq_jax.data import partition
from flq_jax.data.partition import contiguous, dirichlet, iid, quantity_skew, shards

# name: (function, its keyword arguments)
PARTITIONS = {
    "contiguous": (contiguous, {}),
    "iid": (iid, {}),
    "shards": (shards, {"shards_per_client": 1}),
    "dirichlet": (dirichlet, {"alpha": 0.5}),
    "dirichlet, extreme": (dirichlet, {"alpha": 1e-300}),
    "dirichlet, even": (dirichlet, {"alpha": 1e9}),
    "quantity_skew": (quantity_skew, {"alpha": 0.5}),
    "quantity_skew, extreme": (quantity_skew, {"alpha": 1e-300}),
}
RANDOM = [name for name in PARTITIONS if name != "contiguous"]
every = pytest.mark.parametrize(
    "deal, options", PARTITIONS.values(), ids=PARTITIONS.keys()
)
LABELS = np.arange(1000, dtype=np.int32) * 7 % 10


def sizes(parts):
    return [len(part) for part in parts]


@every
@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**63), n=st.integers(1, 80))
def test_every_row_is_dealt_once_in_ascending_order(deal, options, data, seed, n):
    clients = data.draw(st.integers(1, n))
    classes = data.draw(st.integers(1, 12))
    labels = np.random.default_rng(seed).integers(0, classes, n, dtype=np.int32)
    parts = deal(labels, clients, seed, **options)
    assert len(parts) == clients
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    for part in parts:
        assert part.dtype.kind == "i"
        assert np.all(np.diff(part) > 0)


@every
def test_a_seed_is_a_partition(deal, options):
    first = deal(LABELS, 7, 5, **options)
    for again in 5, np.random.default_rng(5):
        assert_same(deal(LABELS, 7, again, **options), first)


def assert_same(parts, others):
    for part, other in zip(parts, others, strict=True):
        np.testing.assert_array_equal(part, other)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds_differ(name):
    deal, options = PARTITIONS[name]
    digests = {
        partition.summary(deal(LABELS, 7, seed, **options), LABELS).digest
        for seed in range(20)
    }
    assert len(digests) > 1


@every
@pytest.mark.parametrize("clients", [-1, 0, 1001])
def test_too_few_or_too_many_clients_are_refused(deal, options, clients):
    with pytest.raises(ValueError, match=rf"{deal.__name__}: .*1..1000.*{clients=}"):
        deal(LABELS, clients, 0, **options)


def test_contiguous_follows_the_order_of_the_rows():
    parts = contiguous(LABELS, 10)
    for m, part in enumerate(parts):
        assert part.tolist() == list(range(100 * m, 100 * (m + 1)))


def test_contiguous_gives_the_remainder_to_the_first_clients():
    assert [p.tolist() for p in contiguous(LABELS[:5], 3)] == [[0, 1], [2, 3], [4]]


def test_iid_sizes_differ_by_one_at_most():
    assert sizes(iid(LABELS[:11], 4)) == [3, 3, 3, 2]


def test_iid_labels_are_hypergeometric():
    """A client's count of one label: mean K n_m / n, within 5 standard errors."""
    draws = [np.sum(LABELS[iid(LABELS, 4, seed)[0]] == 3) for seed in range(200)]
    n, ones, drawn = 1000, 100, 250
    rate = ones / n
    variance = drawn * rate * (1 - rate) * (n - drawn) / (n - 1)
    assert abs(np.mean(draws) - drawn * rate) <= 5 * (variance / 200) ** 0.5


def test_summary_counts_by_client_and_label():
    labels = np.array([0, 2, 2, 1, 0], np.int32)
    came = partition.summary([np.array([0, 1, 4]), np.array([], int)], labels)
    assert came.sizes.tolist() == [3, 0]
    assert came.histogram.tolist() == [[2, 0, 1], [0, 0, 0]]


NO_CLASSES = [
    np.zeros(4, np.float32),
    np.zeros((4, 2), np.int32),
    np.zeros((4, 3), "u1"),
]


@pytest.mark.parametrize("labels", NO_CLASSES, ids=lambda labels: str(labels.dtype))
def test_targets_that_are_no_classes_are_dealt_by_their_number_alone(labels):
    for deal in contiguous, iid:
        came = partition.summary(deal(labels, 2), labels)
        assert came.histogram.tolist() == [[2], [2]] and came.sizes.tolist() == [2, 2]
    match = rf"labels must be classes, integers\[n\], .*got {labels.dtype}\[4"
    with pytest.raises(ValueError, match=f"shards: {match}"):
        shards(labels, 2)
    with pytest.raises(ValueError, match=f"dirichlet: {match}"):
        dirichlet(labels, 2, alpha=1.0)


def test_digest_tells_partitions_apart():
    labels = np.zeros(4, np.int32)
    partitions = [[0, 1], [2, 3]], [[0], [1, 2, 3]], [[2, 3], [0, 1]], [[0, 1, 2, 3]]
    digests = {
        partition.summary([np.array(rows) for rows in parts], labels).digest
        for parts in partitions
    }
    assert len(digests) == 4


USERS = np.array([3, 1, 3, 0, 1, 3, 9])


def test_a_natural_client_holds_what_is_its_user_s():
    parts = partition.natural(USERS, 4)
    for part, rows in zip(parts, ([3], [1, 4], [0, 2, 5], [6]), strict=True):
        np.testing.assert_array_equal(part, rows)


def test_of_more_users_than_clients_some_are_drawn():
    whole = {tuple(part) for part in partition.natural(USERS, 4)}
    draws = [
        {tuple(p) for p in partition.natural(USERS, 2, seed)} for seed in range(20)
    ]
    assert all(len(draw) == 2 and draw < whole for draw in draws)
    assert set.union(*draws) == whole


@pytest.mark.parametrize("clients", [0, 5])
def test_more_natural_clients_than_users_are_refused(clients):
    with pytest.raises(
        ValueError, match=f"in 1..4, the number of users, got {clients=}"
    ):
        partition.natural(USERS, clients)
