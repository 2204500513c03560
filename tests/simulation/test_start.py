"""Where the clients' examples lie."""

import jax
import numpy as np
import pytest

from flq_jax.data import partition
from flq_jax.simulation import start


@pytest.mark.parametrize(
    "clients, everyone, most, rows",
    [
        (4, True, 10**9, 2),  # each device has its own clients'
        (4, False, 10**9, 4),  # any may be asked anywhere
        (4, False, 10, 2),  # too many for that
        (3, True, 10**9, 3),  # not to be shared out evenly
    ],
)
def test_devices_have_the_examples_that_they_may_want(
    monkeypatch, clients, everyone, most, rows
):
    monkeypatch.setattr(start, "MOST_EVERYWHERE", most)
    inputs = np.arange(24, dtype=np.uint8).reshape(12, 2)
    parts = np.split(np.arange(12), clients)
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("clients",))
    longest = 12 // clients
    lie = {"batch": 2, "longest": longest, "everyone": everyone}
    data = start.spread(inputs, np.arange(12), parts, mesh, **lie)
    for leaf in data:
        assert {part.data.shape[0] for part in leaf.addressable_shards} == {rows}
    np.testing.assert_array_equal(np.asarray(data.labels)[:, 0], [p[0] for p in parts])


# Client 0 has most of 24 examples, client 2 none.
OWN = np.split(np.random.default_rng(0).permutation(24), [14, 18, 18])


@pytest.mark.parametrize(
    "devices, everyone, most, rows",
    [
        (1, True, 10**9, 24),
        (2, True, 10**9, 18),  # clients 0 and 1 have 18
        (2, False, 10**9, 24),
        (2, False, 10, 18),
        (3, True, 10**9, 24),
    ],
)
def test_an_uneven_split_holds_each_example_once(
    monkeypatch, devices, everyone, most, rows
):
    monkeypatch.setattr(start, "MOST_EVERYWHERE", most)
    inputs = np.arange(24, dtype=np.uint8).reshape(24, 1)
    mesh = jax.sharding.Mesh(jax.devices()[:devices], ("clients",))
    lie = {"batch": 2, "longest": 16, "everyone": everyone}
    data = start.spread(inputs, np.arange(24), OWN, mesh, **lie)
    held = data.pool.inputs.addressable_shards
    assert [part.data.shape for part in held] == [(rows, 1)] * devices
    for m, part in enumerate(OWN):
        np.testing.assert_array_equal(data.inputs[m, : len(part), 0], part)
        np.testing.assert_array_equal(data.labels[m, : len(part)], part)


def test_a_thousand_very_uneven_clients_take_no_more_than_even_ones():
    n = 20_000
    labels = np.random.default_rng(0).integers(0, 10, n)
    inputs = np.zeros((n, 8), np.uint8)
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("clients",))

    def nbytes(parts):
        longest = start.padded_length([len(part) for part in parts], False)
        data = start.spread(inputs, labels, parts, mesh, batch=10, longest=longest)
        return sum(leaf.nbytes for leaf in jax.tree.leaves(data))

    even = nbytes(partition.iid(labels, 1000))
    assert nbytes(partition.dirichlet(labels, 1000, alpha=0.1)) < 1.2 * even
