"""Perm-K: what the parts of several clients come to, and who may take part."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from more import more

from flq_jax import federated, keys
from flq_jax.compressors import Broadcast, direct, perm_k
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import identity, sign, top_k

D = 13  # 16 coordinates once rotated


@jax.jit
def heard_by_turn(shared, xs):
    """x_hat of each of n clients, whose turns are 0 to n - 1, f32[n, d]."""
    link = perm_k(len(xs))

    def one(turn, x):
        told = Broadcast(turn=turn, shared=shared)
        message, _ = link.encode(jax.random.key(0), x, (), told)
        return link.decode(jax.random.key(0), message, (), told)[0]

    return jax.vmap(one)(jnp.arange(len(xs)), xs)


def drawn(n, d=D):
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


@pytest.mark.parametrize("n", [2, 4, more(5), 16])
def test_where_clients_agree_their_mean_errs_not_at_all(key, n):
    """Each coordinate is sent by one of them, n fold; 16 is the end of all parts."""
    x = drawn(1)[0]
    x_hats = heard_by_turn(key, np.stack([x] * n))
    np.testing.assert_allclose(np.mean(x_hats, axis=0), x, atol=2e-6)


def test_one_message_errs_as_its_docstring_says(key):
    """For any rotation the mean over the n turns of ||x_hat - x||^2 is (n - 1) ||x||^2, if
    d is a power of two: nothing is cut off then."""
    n, x = 4, drawn(1, 16)[0]
    x_hats = heard_by_turn(key, np.stack([x] * n))
    errors = np.sum((np.asarray(x_hats) - x) ** 2, axis=1)
    np.testing.assert_allclose(np.mean(errors), 3 * np.sum(x**2), rtol=1e-5)


def test_the_mean_of_clients_errs_by_their_differences_alone(key):
    """1 / n sum ||x_m||^2 - ||x_bar||^2, within five deviations of a mean over 500 keys; no
    error is above n times the sum of the squared differences."""
    n = 4
    xs = drawn(1, 16) + 0.3 * drawn(n, 16)
    mean, shared = np.mean(xs, axis=0), jax.random.split(key, 500)
    x_hats = np.asarray(jax.jit(jax.vmap(heard_by_turn, (0, None)))(shared, xs))
    errors = np.sum((np.mean(x_hats, axis=1) - mean) ** 2, axis=1)
    expected = np.mean(np.sum(xs**2, axis=1)) - np.sum(mean**2)
    assert abs(errors.mean() - expected) < 5 * errors.std() / 500**0.5
    assert errors.std() > 0.05 * expected  # the rotations differ


def test_a_part_is_anybodys_in_the_end(key):
    """Unbiased whoever's turn it is: the place at which turns begin is drawn."""
    x, shared = drawn(1, 4)[0], jax.random.split(key, 2000)

    @jax.jit
    @jax.vmap
    def first(shared):
        told = Broadcast(turn=0, shared=shared)
        link = perm_k(4)
        message, _ = link.encode(jax.random.key(0), x, (), told)
        return link.decode(jax.random.key(0), message, (), told)[0]

    x_hats = np.asarray(first(shared))
    assert (abs(x_hats.mean(0) - x) < 5 * x_hats.std(0) / 2000**0.5).all()


def test_a_message_is_that_of_its_part():
    """d = 13 is 16 rotated, and 16 / 3 are 6 coordinates: 6 + 32 bits of signs."""
    layout = perm_k(3, sign()).layout(D)
    assert (layout.num_bits, layout.num_codes, layout.num_sides) == (6 + 32, D, 1)
    assert perm_k(4).layout(D).num_bits == 4 * 32


def round_of(link, network, grouping=federated.together):
    """The params after a round of four clients who have the same data."""

    def loss(params, inputs, labels, weights, key):
        del key
        return jnp.dot(weights, (inputs @ params - labels) ** 2)

    inputs = np.stack([drawn(3)] * 4)
    labels = np.stack([np.float32([1, 2, -1])] * 4)
    data = ClientData(inputs, labels, np.int32([3] * 4))
    start = jnp.zeros(D)
    fed = federated.federation(
        *(start, federated.gradient(loss), link, optax.sgd(0.1), network)
    )._replace(grouping=grouping)
    step = jax.jit(lambda data, state: federated.round_step(fed, root, data, state, 0))
    root = keys.seed_key(0)
    return step(data, federated.init(fed, start, 4))[0].params


@pytest.mark.parametrize(
    "network, parts, grouping",
    [
        (federated.everyone(4), 4, federated.together),
        more(federated.everyone(4), 4, federated.in_groups(2)),
        (federated.sampled(2, 4), 2, federated.in_groups(1)),
    ],
)
def test_a_round_of_those_who_agree_is_one_of_floats(network, parts, grouping):
    """Turns are among the asked, also where a group is simulated at a time."""
    floats = round_of(direct(identity()), network)
    np.testing.assert_allclose(
        round_of(perm_k(parts), network, grouping), floats, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: perm_k(17).layout(D), "parts must be at most the 16 .*parts=17"),
        (lambda: perm_k(2, top_k(1, 8)).layout(D), "a code each, 8, got 1"),
        (
            lambda: perm_k(2).encode(jax.random.key(0), jnp.zeros(D), ()),
            "Broadcast.shared",
        ),
        (lambda: federated.compressed(perm_k(2)), "has no turns"),
    ],
)
def test_what_makes_no_sense_says_why(make, says):
    with pytest.raises(ValueError, match=says):
        make()
