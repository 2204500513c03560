"""Examples drawn, ordered and weighted, before any model sees them."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import models
from flq_jax.data.clients import ClientData
from flq_jax.federated import local


def test_scaled_down_is_the_high_word_of_the_product():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 10_000, np.uint64)
    bits[:4] = 0, 1, 2**16, 2**32 - 1
    for count in (1, 2, 3, 600, 65_535, 65_536, 65_537, 60_000_000, 2**31 - 1):
        ours = local.scaled_down(jnp.asarray(bits, jnp.uint32), jnp.int32(count))
        np.testing.assert_array_equal(ours, bits * np.uint64(count) >> np.uint64(32))


def test_every_example_is_drawn_equally_often():
    """Chi-squared with 6 degrees of freedom: above 35 once in 230,000 runs."""
    n, draws = 7, 70_000
    shard = _shard(n, capacity=10)
    batch = local.drawn(jax.random.key(0), shard, draws)
    counts = np.bincount(np.asarray(batch.labels), minlength=10)
    assert not counts[n:].any()
    expected = draws / n
    assert np.sum((counts[:n] - expected) ** 2) / expected < 35.0
    chex.assert_trees_all_close(jnp.sum(batch.weights), 1.0, rtol=1e-5)


def test_a_client_without_examples_draws_nothing():
    batch = local.drawn(jax.random.key(0), _shard(0, capacity=10), 5)
    chex.assert_trees_all_equal(batch.weights, jnp.zeros(5))


def test_fixed_batches_are_drawn_equally_often_and_whole():
    """13 examples in fours: the last one stands alone. 3 degrees of freedom, p 1e-6."""
    shard, draws = _shard(13, capacity=20), 4000
    keys = jax.random.split(jax.random.key(2), draws)
    batch = jax.vmap(lambda key: local.one_of_fixed(key, shard, 4))(keys)
    firsts = np.asarray(batch.labels[:, 0])
    assert set(firsts) == {0, 4, 8, 12}
    counts = np.bincount(firsts)[::4]
    assert np.sum((counts - draws / 4) ** 2) / (draws / 4) < 30.7
    full = np.asarray(batch.labels)[firsts < 12] - firsts[firsts < 12, None]
    weights = np.asarray(batch.weights)
    assert (full == np.arange(4)).all() and (weights[firsts < 12] == 0.25).all()
    assert (weights[firsts == 12] == [1.0, 0.0, 0.0, 0.0]).all()


def test_a_client_without_examples_has_no_fixed_batch():
    batch = local.one_of_fixed(jax.random.key(0), _shard(0, capacity=10), 5)
    chex.assert_trees_all_equal(batch.weights, jnp.zeros(5))


def test_an_order_has_every_example_once():
    shard = _shard(13, capacity=20)
    rows, present = local.ordered(jax.random.key(1), shard, steps=5, batch=4)
    assert sorted(np.asarray(rows[present]).tolist()) == list(range(13))
    chex.assert_trees_all_equal(jnp.sum(present, axis=1), jnp.array([4, 4, 4, 1, 0]))


def test_absent_examples_are_blank_and_count_for_nothing():
    shard = ClientData(jnp.full((4, 2), 255, jnp.uint8), jnp.arange(4), jnp.int32(4))
    present = jnp.asarray([True, False, True])
    batch = local.taken(shard, jnp.asarray([3, 1, 0]), present)
    np.testing.assert_array_equal(batch.inputs, [[1, 1], [0, 0], [1, 1]])
    np.testing.assert_array_equal(batch.weights, [0.5, 0.0, 0.5])


def test_bytes_become_floats_once_a_round():
    """A canary: XLA fuses what it can into each of its users, and computes it anew."""
    clients, batch = 10, 50
    update = local.gradient(models.classification_loss(models.Logistic()), batch)
    shards = ClientData(
        jax.ShapeDtypeStruct((clients, 600, 28, 28), jnp.uint8),
        jax.ShapeDtypeStruct((clients, 600), jnp.int32),
        jax.ShapeDtypeStruct((clients,), jnp.int32),
    )
    params = {"output": {"kernel": jnp.zeros((10, 784)), "bias": jnp.zeros(10)}}
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), clients))
    together = jax.jit(jax.vmap(update, in_axes=(0, None, 0)))
    program = together.lower(keys, params, shards).compile().as_text()
    images = rf"f32\[({clients},{batch}|{clients * batch}),.*784\]\S* convert\(.*"
    conversions = re.findall(images, program)
    assert len(conversions) == 1, conversions


def _shard(size, capacity):
    labels = jnp.arange(capacity, dtype=jnp.int32)
    return ClientData(jnp.zeros((capacity, 2, 2), jnp.uint8), labels, jnp.int32(size))
