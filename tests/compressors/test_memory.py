"""What the two ends of a link remember, and which links make no sense."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import (
    Broadcast,
    direct,
    error_feedback,
    innovation,
    lazy,
    momentum,
)
from flq_jax.federated import compressed
from flq_jax.quantizers import geometric, identity, sign, stochastic, top_k, uniform

D = 23


def _walk(rounds):
    """Vectors that change more and more slowly."""
    steps = np.random.default_rng(0).standard_normal((rounds, D))
    steps = steps * 0.9 ** np.arange(rounds)[:, None]
    return np.cumsum(steps, axis=0).astype(np.float32)


def _transmit(link, xs, key):
    """Each round's (x, x_hat, client memory)."""
    client, server = link.init(D)

    @jax.jit
    def send(key, k, x, client, server):
        key, broadcast = jax.random.fold_in(key, k), Broadcast(k)
        message, client = link.encode(key, x, client, broadcast)
        x_hat, server = link.decode(jax.random.clone(key), message, server, broadcast)
        return x_hat, client, server

    for k, x in enumerate(xs):
        x_hat, client, server = send(key, np.int32(k), x, client, server)
        yield x, np.asarray(x_hat), client


def test_direct_forgets_and_decodes_what_was_sent(key):
    link = direct(sign())
    message, memory = jax.jit(link.encode)(key, np.float32([1.0, -2.0]), ())
    x_hat, _ = jax.jit(link.decode)(key, message, memory)
    np.testing.assert_allclose(x_hat, [1.5, -1.5])


def test_error_feedback_loses_nothing_but_the_last_error(key):
    xs = _walk(60)
    _, x_hats, errors = zip(*_transmit(error_feedback(sign()), xs, key))
    np.testing.assert_allclose(
        np.sum(x_hats, axis=0), xs.sum(axis=0) - errors[-1], rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_innovation_errs_by_the_grid_of_the_innovation(bits, key):
    link, reference = innovation(uniform(bits)), np.zeros(D, np.float32)
    for x, x_hat, _ in _transmit(link, _walk(30), key):
        bound = np.max(np.abs(x - reference)) / (2**bits - 1)
        assert np.max(np.abs(x - x_hat)) <= bound * (1 + 1e-4) + 1e-6
        reference = x_hat


def test_a_zooming_grid_follows_what_it_was_made_for(key):
    # Innovations of at most 1 * 0.5^k and a grid of radius 2 * 0.5^k with 4 bits: the
    # error r / 15 of the round before adds 4/15 of this round's radius at most.
    link = innovation(uniform(4, geometric(2.0, 0.5)))
    overload, reference = jax.jit(link.overload), np.zeros(D, np.float32)
    xs = [np.full(D, 1 - 0.5 ** (k + 1), np.float32) for k in range(20)]
    for k, (x, x_hat, _) in enumerate(_transmit(link, xs, key)):
        assert not overload(x, reference, Broadcast(np.int32(k)))
        assert np.max(np.abs(x - x_hat)) <= 2.0 * 0.5**k / 15 * (1 + 1e-3) + 1e-6
        reference = x_hat
    assert overload(xs[-1] + np.float32(1.0), reference, Broadcast(np.int32(20)))


def _heard(link, xs, key):
    """Each round's x_hat, of x f32[2]."""
    client, server = link.init(2)
    for k, x in enumerate(np.float32(xs)):
        each, broadcast = jax.random.fold_in(key, k), Broadcast(np.int32(k))
        message, client = link.encode(each, x, client, broadcast)
        each = jax.random.clone(each)
        x_hat, server = link.decode(each, message, server, broadcast)
        yield np.asarray(x_hat)


def test_what_waits_fades_by_the_decay(key):
    """(3, 2) sends 3 and keeps 2, of which half is left when nothing is added."""
    link = error_feedback(top_k(1, 2), decay=0.5)
    heard = _heard(link, [(3, 2), (0, 0), (0, 0)], key)
    np.testing.assert_array_equal(list(heard), [(3, 0), (0, 1), (0, 0)])


def test_sparseloco_by_hand(key):
    """e = (3, -2) sends the sign of 3 at its size; then 0.5 (0, -2) + (1, 0) sends -1."""
    link = error_feedback(top_k(1, 2, values=sign()), decay=0.5)
    heard = _heard(link, [(3, -2), (0.5, 0)], key)
    np.testing.assert_array_equal(list(heard), [(3, 0), (0, -1)])


def test_a_reference_goes_half_of_the_way(key):
    """r = (.5, -.5), (1, -1), then x - r = (2, 0), of which sign makes (1, 1)."""
    heard = _heard(innovation(sign(1.0), rate=0.5), [(3, -1)] * 3, key)
    np.testing.assert_array_equal(list(heard), [(1, -1), (1.5, -1.5), (2, 0)])


def test_dianas_reference_comes_to_x_where_whole_steps_circle_it(key):
    """QSGD with one level has w <= sqrt(d) = 4.8, and 1 / (1 + w) = 0.17."""
    x = np.random.default_rng(0).standard_normal(D, np.float32)
    off = {}
    for rate in (1.0, 0.17):
        link = innovation(stochastic(1), rate=rate)
        *_, (_, _, reference) = _transmit(link, [x] * 200, key)
        off[rate] = np.linalg.norm(reference - x) / np.linalg.norm(x)
    assert off[0.17] < 1e-3 and off[1.0] > 0.1


def test_a_silent_client_of_a_damped_reference_counts_for_nothing(key):
    link = innovation(identity(), rate=0.5)
    message, _ = link.encode(key, np.float32([4, 4]), *link.init(2)[:1])
    assert link.estimate is None and link.rate == 0.5
    reference = np.float32([1, 2])
    key = jax.random.clone(key)
    silent = jax.tree.map(np.zeros_like, message)
    x_hat, after = link.decode(key, silent, reference)
    np.testing.assert_array_equal(x_hat, 0)
    np.testing.assert_array_equal(after, reference)


def test_ef21_sgdm_is_momentum_around_an_innovation(key):
    """v = (2, 1), (3, 1.5): C(v - h) sends 2, and then 1.5 at the second place."""
    link = momentum(innovation(top_k(1, 2)), 0.5)
    heard = _heard(link, [(4, 2), (4, 2)], key)
    np.testing.assert_array_equal(list(heard), [(2, 0), (2, 1.5)])


@pytest.mark.parametrize(
    "make, error, match",
    [
        (lambda: error_feedback(sign(), decay=1.1), ValueError, "decay=1.1"),
        (lambda: innovation(sign(), rate=0.0), ValueError, "rate=0.0"),
        (lambda: lazy(innovation(sign(), rate=0.5)), ValueError, "remembers each"),
        (lambda: compressed(innovation(sign(), rate=0.5)), ValueError, "whole steps"),
        (lambda: direct(innovation(sign())), TypeError, "direct: needs a quantizer"),
        (
            lambda: direct(sign),
            TypeError,
            r"got the function sign: sign\(...\) calls it",
        ),
        (lambda: error_feedback(innovation(sign())), TypeError, "count twice"),
        (lambda: error_feedback(direct(sign())), TypeError, "as in error_feedback"),
        (lambda: innovation(error_feedback(sign())), TypeError, "same error again"),
        (lambda: innovation(innovation(sign())), TypeError, "second memory"),
        (lambda: lazy(direct(sign())), ValueError, "silent client there is nothing"),
        (lambda: lazy(error_feedback(sign())), ValueError, "remembers each client"),
        (lambda: lazy(sign()), ValueError, "such as innovation"),
        (lambda: lazy(lazy(innovation(sign()))), ValueError, "lazy already"),
        (lambda: direct(uniform(3, geometric(1, 0.9))), ValueError, "does not shrink"),
        (
            lambda: error_feedback(uniform(3, geometric(1, 0.9))),
            ValueError,
            "x \\+ e does not shrink",
        ),
        (
            lambda: lazy(innovation(uniform(3, geometric(1, 0.9)))),
            ValueError,
            "shrinks while a silent client waits",
        ),
        (lambda: lazy(innovation(sign()), history=0), ValueError, "history=0"),
        (lambda: lazy(innovation(sign()), max_silence=0), ValueError, "max_silence=0"),
        (lambda: lazy(innovation(sign()), weight=-1.0), ValueError, "weight=-1.0"),
        (
            lambda: lazy(innovation(sign()), error_weight=-1.0),
            ValueError,
            "error_weight=-1.0",
        ),
    ],
)
def test_links_that_make_no_sense_say_why(make, error, match):
    with pytest.raises(error, match=match):
        make()
