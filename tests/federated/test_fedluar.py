"""FedLUAR: what is recycled, when and how often, worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.data.clients import ClientData
from flq_jax.federated.fedluar import drawn_layers, recycling
from flq_jax.quantizers import apart, entropy_coded, identity, segmented

SHAPES = [(2,), (3, 1), (1, 2)]
SIZES = [2, 3, 2]  # of the model, and 2 for its two layers


def stepped(updates, params, state=None, optimizer=None, round_index=0):
    """(params after, state after) of one step, of x f32[7] and sent f32[2]."""
    made = recycling(optimizer or optax.sgd(1.0), 1, SHAPES)
    params = jnp.float32(params)
    state = made.init(params) if state is None else state
    moved, state = made.update(
        jnp.float32(updates), state, params, round_index=jnp.int32(round_index)
    )
    return np.asarray(params + moved), state


X = [1, 1, 3, 0, 4, 6, 8]  # layers of norms 5 and 10
U = [1, 2, 3, 4, 0, 0, 1]  # and their updates of 5 and 1


def test_scores_are_of_the_steps_and_what_was_sent_steps_by_itself():
    params, state = stepped([*U, 0, 0], [*X, 1, 1])
    np.testing.assert_allclose(params[:7], np.subtract(X, U))
    np.testing.assert_allclose(state.scores, [1.0, 0.1], rtol=1e-5)
    assert sorted(params[7:]) == [0.0, 1.0]


def test_a_recycled_layer_repeats_its_update_and_keeps_its_score():
    """Its own mean is 0, as nobody sent it; the bias and the other layer have new ones."""
    _, state = stepped([*U, 0, 0], [*X, 1, 1])
    params, after = stepped([9, 9, 0, 0, 0, 3, 4, 0, 0], [*X, 0, 1], state)
    np.testing.assert_allclose(params[:7], np.subtract(X, [9, 9, 3, 4, 0, 3, 4]))
    np.testing.assert_allclose(after.scores, [1.0, 0.5], rtol=1e-5)
    again, _ = stepped([0] * 9, [*X, 0, 1], after)
    np.testing.assert_allclose(again[:7], np.subtract(X, [0, 0, 3, 4, 0, 0, 0]))


def test_layers_are_drawn_with_chances_as_one_over_their_scores():
    """1 / s are as 4 to 2 to 1; of two, the third stays out with 4/7 2/3 + 2/7 4/5."""
    draw = jax.jit(jax.vmap(drawn_layers, (0, None, None)), static_argnums=2)
    many = jax.random.split(jax.random.key(0), 20_000)
    scores = jnp.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(
        1 - jnp.mean(draw(many, scores, 1), 0), np.array([4, 2, 1]) / 7, atol=0.02
    )
    of_two = draw(jax.random.clone(many), scores, 2)
    assert (jnp.sum(of_two, 1) == 1).all()
    assert abs(jnp.mean(of_two[:, 2]) - (8 / 21 + 8 / 35)) < 0.02


def loss(params, inputs, targets, weights, key):
    """A straight line through two layers and a bias, so that all have gradients."""
    del key
    hidden = inputs @ params["a"]
    found = hidden @ params["c"] + params["b"][None]
    return jnp.vdot(weights, jnp.sum((found - targets[:, None]) ** 2, -1))


def test_a_round_s_messages_leave_out_what_the_server_drew():
    """33 bits for a recycled layer; of one sent 1 + 32 a coordinate, bias and flags too."""
    rng = np.random.default_rng(0)
    model = {
        "b": jnp.zeros(2),
        "a": jnp.float32(rng.standard_normal((3, 1))),
        "c": jnp.float32(rng.standard_normal((1, 2))),
    }
    shapes = [leaf.shape for leaf in jax.tree.leaves(model)]
    work = federated.fedluar(
        federated.local_steps(loss, optax.sgd(0.01), 4, 2), 1, shapes
    )
    sizes = [leaf.size for leaf in jax.tree.leaves(work.broadcast(model))]
    link = direct(entropy_coded(apart(segmented(identity(), sizes))))
    fed = federated.federation(model, work, link, optax.sgd(1.0), federated.everyone(2))
    state = federated.init(fed, model, 2)
    data = ClientData(
        rng.standard_normal((2, 8, 3)).astype(np.float32),
        rng.standard_normal((2, 8)).astype(np.float32),
        np.int32([8, 8]),
    )
    step = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    last = None
    for k in range(4):
        wanted = np.asarray(state.params[7:])
        before = fed.unravel(state.params).model
        state, metrics = step(data, state, np.int32(k))
        lengths = {0.0: 33, 1.0: None}
        a = lengths[wanted[0]] or 1 + 32 * 3
        c = lengths[wanted[1]] or 1 + 32 * 2
        np.testing.assert_array_equal(metrics.uplink_bits, a + c + (1 + 64) + 33)
        after = fed.unravel(state.params).model
        steps = [before[n] - after[n] for n in "ac"]
        for n, flag in enumerate(wanted):
            if not flag:
                np.testing.assert_allclose(steps[n], last[n], rtol=1e-3, atol=1e-6)
        last = steps
    assert sorted(state.params[7:].tolist()) == [0.0, 1.0]


def test_a_model_of_other_shapes_is_refused():
    work = federated.fedluar(
        federated.local_steps(loss, optax.sgd(0.1), 1, 1), 1, SHAPES
    )
    with pytest.raises(ValueError, match=r"fedluar: shapes must be those of the model"):
        work.broadcast({"b": jnp.zeros(2), "w": jnp.zeros((3, 1))})
