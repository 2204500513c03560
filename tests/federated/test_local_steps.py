"""Local steps by any optimizer: how many there are, and where they end."""

import jax
import numpy as np
import optax
import pytest
from quadratics import alone, clients, loss

from flq_jax.data.clients import ClientData
from flq_jax.federated import local_epochs, local_steps


def test_three_halving_steps_by_hand():
    """w = 0, 2, 3, 3.5 on the way to 4: losses 8, 2 and 1/2."""
    work = local_steps(loss, optax.sgd(0.5), batch=2, steps=3)
    value, moved, _ = alone(work, clients())
    np.testing.assert_allclose(moved, [-3.5], rtol=1e-6)
    np.testing.assert_allclose(value, 10.5 / 3, rtol=1e-6)


def test_gradients_are_clipped_by_a_chain():
    """Of length 8 towards (4, 4, 4, 4), then of length 1: two steps of a half each."""
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.5))
    work = local_steps(loss, optimizer, batch=1, steps=2)
    np.testing.assert_allclose(alone(work, clients(d=4))[1], [-0.5] * 4, rtol=1e-6)


def test_adams_first_step_is_its_rate():
    work = local_steps(loss, optax.adam(0.1), batch=1, steps=1)
    np.testing.assert_allclose(alone(work, clients())[1], [-0.1], rtol=1e-5)


def test_clients_take_the_steps_of_their_own_examples():
    """2 epochs of 5 examples in twos are 6 steps, beside a client of 40 examples."""
    seen = []

    def counted(params, inputs, labels, weights, key):
        jax.debug.callback(lambda: seen.append(1))
        return loss(params, inputs, labels, weights, key)

    work = local_epochs(counted, optax.sgd(0.5), batch=2, epochs=2)
    alone(work, clients(sizes=(5, 40)))
    jax.effects_barrier()
    assert len(seen) == 6


def test_a_client_without_examples_takes_no_step():
    for work in (
        local_epochs(loss, optax.sgd(0.5), batch=2, epochs=2),
        local_steps(loss, optax.sgd(0.5), batch=2, steps=2),
    ):
        value, moved, _ = alone(work, clients(sizes=(0, 3)))
        assert value == 0.0 and moved == 0.0


def test_local_epochs_of_a_batch_larger_than_the_shard_cost_the_shard():
    """Steps of all 13 examples, as with a batch of as many; none of 2^31 rows."""

    def loss(params, inputs, labels, weights, key):
        del labels, key
        assert inputs.shape[0] == 20
        return weights @ jax.numpy.square(inputs[:, 0, 0] - params)

    def ended(batch):
        update = local_epochs(loss, optax.sgd(0.1), batch, epochs=3)
        shard = ClientData(
            np.zeros((20, 2, 2), np.uint8), np.arange(20, dtype=np.int32), np.int32(13)
        )
        return jax.jit(update.update)(jax.random.key(0), 1.0, shard, ())[:2]

    np.testing.assert_array_equal(ended(2**31 - 1), ended(20))


def test_numbers_below_one_are_refused():
    with pytest.raises(ValueError, match=r"local_epochs: epochs must .* got epochs=0"):
        local_epochs(loss, optax.sgd(0.1), 20, 0)
    with pytest.raises(ValueError, match=r"local_steps: batch must .* got batch=0"):
        local_steps(loss, optax.sgd(0.1), 0, 2)
    with pytest.raises(ValueError, match=r"local_steps: steps must .* got steps=-1"):
        local_steps(loss, optax.sgd(0.1), 1, -1)


def test_work_is_counted_in_examples():
    sizes = np.int32([0, 5, 40])
    epochs = local_epochs(loss, optax.sgd(0.1), batch=2, epochs=3)
    drawn = local_steps(loss, optax.sgd(0.1), batch=2, steps=3)
    np.testing.assert_array_equal(epochs.examples(sizes), [0, 15, 120])
    np.testing.assert_array_equal(drawn.examples(sizes), [6, 6, 6])
    assert epochs.own_model and drawn.own_model and not drawn.reads_all
