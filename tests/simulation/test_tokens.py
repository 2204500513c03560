"""What clients hold need not be images with a class: tokens, vectors, bytes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import flq_jax as flq

RNG = np.random.default_rng(0)
CLIENTS = {"full": flq.gradient, "drawn": lambda loss: flq.gradient(loss, batch=4)}
CLIENTS["epochs"] = lambda loss: flq.local_epochs(loss, optax.sgd(0.5), 4, 1)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_sequences_of_tokens_with_a_target_each(client):
    """The next token is the one after it, modulo five: a table learns that."""
    start = RNG.integers(0, 5, (24, 1))
    tokens = (start + np.arange(4)) % 5

    def error(params, inputs, targets):
        logits = params["table"][inputs]
        each = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        return jnp.mean(each, axis=1)

    loss = flq.mean_of(error)
    sim = flq.Simulation(
        {"table": np.zeros((5, 5))},
        loss,
        (tokens[:, :-1], tokens[:, 1:]),
        owners=np.arange(24) // 10,
        client=client(loss),
        server=optax.adam(0.3),
    )
    assert sim.data.inputs.dtype == jnp.int32
    (row,) = sim.run(rounds=20, every=20)
    assert row["train_loss"] < 0.3 < np.log(5)
    found = jnp.argmax(sim.params["table"], axis=1)
    assert found.tolist() == [1, 2, 3, 4, 0]


def test_bytes_are_scaled_and_vectors_told():
    """An average of images, which are 0 or 1 to a model: the target is the image."""
    images = RNG.integers(0, 2, (12, 2, 2), dtype=np.uint8) * 255

    def error(params, inputs, targets):
        flat = inputs.reshape(len(inputs), -1)
        return jnp.sum((flat - params[None]) ** 2 + (targets - flat) ** 2, axis=1)

    sim = flq.Simulation(
        jax.numpy.zeros(4),
        flq.mean_of(error),
        (images, images.reshape(12, 4) / 255),
        clients=3,
        server=optax.sgd(0.5),
    )
    (row,) = sim.run(rounds=1)
    mean = images.reshape(12, 4).mean(0) / 255
    np.testing.assert_allclose(sim.params, mean, atol=1e-6)
    assert row["train_loss"] == pytest.approx(4 * np.mean(mean * (1 - mean)), rel=1e-5)
