"""One pass over the clients: taken where its parts say so, with the same results."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiled import rounded_products
from more import more

from flq_jax import federated, keys
from flq_jax.compressors import (
    direct,
    error_feedback,
    innovation,
    lazy,
    momentum,
)
from flq_jax.data.clients import ClientData
from flq_jax.federated.one_pass import stays_in_tensors, takes_one_pass
from flq_jax.quantizers import identity, sign, stochastic, uniform

M = 6
SHAPES = {"a": np.zeros((2, 3), np.float32), "b": np.zeros(5, np.float32)}
D = 11


def quadratic(params, inputs, labels, weights, key):
    """1/2 sum_i weights_i ||theta - input_i||^2, of two tensors."""
    del labels, key
    a, b = inputs[:, :6].reshape(-1, 2, 3), inputs[:, 6:]
    each = jnp.sum((params["a"][None] - a) ** 2, (1, 2))
    each += jnp.sum((params["b"][None] - b) ** 2, 1)
    return 0.5 * jnp.sum(weights * each)


def federation(link, network=None, size=None, aggregate=federated.WEIGHTED_MEAN):
    return federated.federation(
        SHAPES,
        federated.gradient(quadratic),
        link,
        optax.sgd(0.5),
        network or federated.everyone(M),
        step_size=0.5,
        aggregate=aggregate,
        grouping=federated.in_groups(size) if size else federated.together,
    )


def examples():
    """Six clients; one has nothing, and one something broken."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((M, 4, D)).astype(np.float32)
    inputs[4, 0, 3] = np.nan
    sizes = np.array([4, 2, 0, 3, 2, 1], np.int32)
    data = ClientData(inputs, np.zeros((M, 4), np.int32), sizes)
    return jax.tree.map(jnp.asarray, data)


def rounds(fed, count=3):
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), examples())
    state = federated.init(fed, SHAPES, M)

    @jax.jit
    def run(state):
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(count), count)

    return jax.tree.map(np.asarray, run(state)[:2])


def two_passes(fed):
    """The same federation, of whose network nothing is promised."""
    return fed._replace(network=fed.network._replace(lossless=False))


@pytest.mark.parametrize(
    "link, network, one",
    [
        (direct(sign()), federated.everyone(M), True),
        (error_feedback(sign()), federated.sampled(2, M), True),
        (lazy(innovation(sign())), federated.everyone(M), True),
        (innovation(sign()), federated.sampled(M, M), True),
        (innovation(sign()), federated.sampled(2, M), False),  # others count
        (direct(sign()), federated.everyone(M)._replace(lossless=False), False),
    ],
)
def test_the_parts_decide(link, network, one):
    assert takes_one_pass(federation(link, network)) is one


@pytest.mark.parametrize("size", [more(None), 2])
@pytest.mark.parametrize(
    "link, network",
    [
        (direct(identity()), federated.sampled(4, M)),
        (direct(stochastic(3)), federated.everyone(M)),
        (error_feedback(sign()), federated.sampled(4, M)),
        (lazy(innovation(uniform(2))), federated.everyone(M)),
    ],
    ids=["floats", "random", "error feedback", "lazy"],
)
def test_one_pass_gives_what_two_give(link, network, size):
    fed = federation(link, network, size)
    assert takes_one_pass(fed) and not takes_one_pass(two_passes(fed))
    (state, log), (other, other_log) = rounds(fed), rounds(two_passes(fed))
    assert log.diverged.sum() > 0 and log.uplink_bits.sum() > 0
    np.testing.assert_array_equal(log.uplink_bits, other_log.uplink_bits)
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6),
        (state, log),
        (other, other_log),
    )


@pytest.mark.parametrize("link", [direct(sign()), innovation(sign())])
def test_who_is_away_counts_in_one_pass_as_in_two(link):
    """With the server's last estimate of it, or, where there is none, for nothing."""
    network = federated.everyone(M)

    def plan(key, state, round_index):
        made = network.plan(key, state, round_index)
        away = (made.who % 3 == 1) & (round_index > 0)
        return made._replace(listens=~away)

    fed = federation(link, network._replace(plan=plan))
    assert takes_one_pass(fed)
    found, expected = rounds(fed)[0], rounds(two_passes(fed))[0]
    assert np.linalg.norm(rounds(federation(link))[0].params - found.params) > 0.01
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-5, atol=1e-6)


def test_an_adopted_broadcast_is_stepped_from_in_one_pass_as_in_two():
    """Signs leave much of the model out, which the next step then does without."""
    fed = federation(direct(sign()), size=2)
    heard = innovation(sign())
    adopted = fed._replace(downlink=federated.compressed(heard, adopted=True))
    fed_back = fed._replace(downlink=federated.compressed(heard))
    assert takes_one_pass(adopted)
    found, expected, other = (
        rounds(each)[0].params for each in (adopted, two_passes(adopted), fed_back)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(found - other) > 0.01


def test_votes_are_counted_in_one_pass_as_in_two():
    fed = federation(direct(sign(1.0)), size=2, aggregate=federated.MAJORITY_VOTE)
    found, expected = rounds(fed)[0], rounds(two_passes(fed))[0]
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-6)


@pytest.mark.parametrize(
    "link, aggregate, tensors",
    [
        (direct(identity()), federated.WEIGHTED_MEAN, True),
        (direct(identity()), federated.MAJORITY_VOTE, False),
        (direct(uniform(8)), federated.WEIGHTED_MEAN, False),
        (momentum(direct(identity()), 0.9), federated.WEIGHTED_MEAN, False),
        (error_feedback(identity()), federated.WEIGHTED_MEAN, False),
    ],
)
def test_floats_stay_in_their_tensors(link, aggregate, tensors):
    fed = federation(link, aggregate=aggregate)
    assert stays_in_tensors(fed) is tensors
    state = federated.init(fed, SHAPES, M)
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), examples())
    text = str(jax.make_jaxpr(step)(state, jnp.int32(0)))
    assert (f"f32[{M},{D}]" in text) is not tensors


def test_who_changes_an_exact_link_has_one_that_is_not():
    link = direct(identity())

    def noisy(key, x, memory, broadcast):
        return link.encode(key, x + 1.0, memory, broadcast)

    assert link.exact
    assert not link._replace(encode=noisy).exact
    assert not identity()._replace(decode=lambda key, message: message.codes).exact


@pytest.mark.parametrize(
    "link", [direct(identity()), direct(sign()), innovation(sign())]
)
@pytest.mark.parametrize("passes", [lambda fed: fed, two_passes])
def test_sums_over_clients_are_taken_in_full_f32(link, passes):
    fed = passes(federation(link, federated.sampled(4, M)))
    step = functools.partial(federated.round_step, fed, keys.seed_key(0), examples())
    state = federated.init(fed, SHAPES, M)
    assert not rounded_products(jax.jit(step).lower(state, jnp.int32(0)))
