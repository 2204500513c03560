"""Examples drawn, ordered and weighted, before any model sees them."""

import re

import jax
import numpy as np
import pytest

from flq_jax import models
from flq_jax.data.clients import ClientData
from flq_jax.federated import local

DRAWS = 70_000


def test_scaled_down_is_the_high_word_of_the_product():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 10_000, np.uint64)
    bits[:4] = 0, 1, 2**16, 2**32 - 1
    scaled_down = jax.jit(local.scaled_down)
    for count in (1, 2, 3, 600, 65_535, 65_536, 65_537, 60_000_000, 2**31 - 1):
        ours = np.asarray(scaled_down(bits.astype(np.uint32), np.int32(count)))
        np.testing.assert_array_equal(ours, bits * np.uint64(count) >> np.uint64(32))


def test_every_example_is_drawn_equally_often():
    """Chi-squared with 6 degrees of freedom: above 35 once in 230,000 runs."""
    n = 7
    batch = _drawn(_shard(n, capacity=10))
    counts = np.bincount(batch.labels, minlength=10)
    assert not counts[n:].any()
    expected = DRAWS / n
    assert np.sum((counts[:n] - expected) ** 2) / expected < 35.0
    np.testing.assert_allclose(np.sum(batch.weights, dtype=float), 1.0, rtol=1e-5)


def test_a_client_without_examples_draws_nothing():
    batch = _drawn(_shard(0, capacity=10))
    np.testing.assert_array_equal(batch.weights, np.zeros(DRAWS))


def test_fixed_batches_are_drawn_equally_often_and_whole():
    """13 examples in fours: the last one stands alone. 3 degrees of freedom, p 1e-6."""
    draws = 4000
    batch = _fixed(np.arange(draws), _shard(13, capacity=20))
    firsts = batch.labels[:, 0]
    assert set(firsts) == {0, 4, 8, 12}
    counts = np.bincount(firsts)[::4]
    assert np.sum((counts - draws / 4) ** 2) / (draws / 4) < 30.7
    full = batch.labels[firsts < 12] - firsts[firsts < 12, None]
    weights = batch.weights
    assert (full == np.arange(4)).all() and (weights[firsts < 12] == 0.25).all()
    assert (weights[firsts == 12] == [1.0, 0.0, 0.0, 0.0]).all()


def test_a_client_without_examples_has_no_fixed_batch():
    batch = _fixed(np.arange(4000), _shard(0, capacity=20))
    np.testing.assert_array_equal(batch.weights, np.zeros((4000, 4)))


def test_an_order_has_every_example_once():

    @jax.jit
    def ordered(shard):
        return local.ordered(jax.random.key(1), shard, steps=5, batch=4)

    rows, present = map(np.asarray, ordered(_shard(13, capacity=20)))
    assert sorted(rows[present].tolist()) == list(range(13))
    np.testing.assert_array_equal(np.sum(present, axis=1), [4, 4, 4, 1, 0])


def test_absent_examples_are_blank_and_count_for_nothing():
    whites = np.full((4, 2), 255, np.uint8)
    shard = ClientData(whites, np.arange(4, dtype=np.int32), np.int32(4))
    present = np.asarray([True, False, True])
    batch = jax.jit(local.taken)(shard, np.asarray([3, 1, 0]), present)
    np.testing.assert_array_equal(batch.inputs, [[1, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(batch.weights, [0.5, 0.0, 0.5])


def test_bytes_become_floats_once_a_round():
    """A canary: XLA fuses what it can into each of its users, and computes it anew."""
    clients, batch = 10, 50
    update = local.gradient(models.classification_loss(models.Logistic()), batch).update
    shards = ClientData(
        jax.ShapeDtypeStruct((clients, 600, 28, 28), np.uint8),
        jax.ShapeDtypeStruct((clients, 600), np.int32),
        jax.ShapeDtypeStruct((clients,), np.int32),
    )
    kernel = np.zeros((10, 784), np.float32)
    params = {"output": {"kernel": kernel, "bias": kernel[:, 0]}}
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), clients))
    together = jax.jit(jax.vmap(update, in_axes=(0, None, 0, None)))
    program = together.lower(keys, params, shards, ()).compile().as_text()
    images = rf"f32\[({clients},{batch}|{clients * batch}),.*784\]\S* convert\(.*"
    conversions = re.findall(images, program)
    assert len(conversions) == 1, conversions


def test_a_fixed_batch_larger_than_the_shard_is_all_of_it():
    shard, key = _shard(13, capacity=20), jax.random.key(0)
    ours = jax.jit(local.one_of_fixed, static_argnums=2)(key, shard, 2**31 - 1)
    assert ours.labels.shape == (20,)
    np.testing.assert_array_equal(ours.labels[:13], np.arange(13))
    np.testing.assert_allclose(ours.weights, [1 / 13] * 13 + [0] * 7, rtol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 250, 251, 1000])
def test_a_shuffle_has_each_example_once_whatever_is_sorted(size):
    """Of 1,000 rows, sorts of 250 and of 1,000 are there to choose from."""
    order = np.asarray(_shuffle(np.int32(size)))
    assert sorted(order[:size]) == list(range(size))
    assert sorted(order) == list(range(1000))
    assert size < 2 or (np.diff(order[:size]) < 0).any()


@jax.jit
def _shuffle(size):
    return local.shuffled(jax.random.key(0), size, 1000)


def _shard(size, capacity):
    labels = np.arange(capacity, dtype=np.int32)
    return ClientData(np.zeros((capacity, 2, 2), np.uint8), labels, np.int32(size))


def _drawn(shard):
    return jax.tree.map(np.asarray, _draw(shard))


@jax.jit
def _draw(shard):
    return local.drawn(jax.random.key(0), shard, DRAWS)


def _fixed(seeds, shard):
    return jax.tree.map(np.asarray, _draw_fixed(seeds, shard))


@jax.jit
def _draw_fixed(seeds, shard):
    return jax.vmap(lambda s: local.one_of_fixed(jax.random.key(s), shard, 4))(seeds)


def test_drawn_tokens_stay_integers_and_their_targets_whole():
    """Client of three sequences; what is not there is blank."""
    shard = ClientData(
        np.arange(12, dtype=np.int32).reshape(4, 3),
        np.arange(8, dtype=np.float32).reshape(4, 2),
        np.int32(3),
    )
    batch = local.taken(shard, np.array([2, 3]), np.array([True, False]))
    assert batch.inputs.dtype == np.int32
    np.testing.assert_array_equal(batch.inputs, [[6, 7, 8], [0, 0, 0]])
    np.testing.assert_array_equal(batch.labels[0], [4.0, 5.0])
