"""DAdaQuant: when levels double, and whose are more, worked by hand."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from quadratics import clients, loss

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.federated.dadaquant import dadaquant, nearest
from flq_jax.quantizers import one_of, stochastic

DOUBLING = direct(one_of((stochastic(1), stochastic(2), stochastic(4))))


def doublings(losses, smoothing, options=3, patience=2):
    """How often levels have doubled, after each round."""
    made = dadaquant(federated.everyone(2), options, patience, smoothing)
    state, found = made.init(), []
    for each in losses:
        state = made.hear(state, jnp.float32(each))
        found.append(int(state.doublings))
    return found


def test_levels_double_when_the_loss_rests_and_no_sooner_than_after_patience():
    """3 >= 3 in round 3; 5 >= 3 comes a round too soon, 6 >= 5 does not."""
    assert doublings([4, 3, 3, 5, 6], 0.0) == [0, 0, 1, 1, 2]


def test_no_option_is_beyond_the_last():
    assert doublings([1] * 8, 0.0) == [0, 1, 1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("last, doubled", [(2.5, 0), (3.0, 1)])
def test_it_is_the_running_average_that_rests(last, doubled):
    """G is 4, then 3, then 2.75 or 3: the loss itself grows in either case."""
    assert doublings([4, 2, last], 0.5) == [0, 0, doubled]


def test_losses_of_patience_rounds_are_compared_from_the_first_to_the_last():
    """Of three, 4 < 5 though 4 > 3."""
    assert doublings([5, 3, 4], 0.0, patience=3) == [0, 0, 0]
    assert doublings([5, 3, 5], 0.0, patience=3) == [0, 0, 1]


def test_a_round_without_a_loss_changes_nothing():
    assert doublings([4, np.nan, 3, 3], 0.0) == [0, 0, 0, 1]


def test_shares_of_eight_and_one_lie_two_doublings_apart():
    """w^(2/3) are as 4 to 1; with a / b = 1.44, q_k / q are 1.11 and 0.28."""
    choice = nearest(jnp.int32(2), jnp.array([8.0, 1.0]), 7)
    np.testing.assert_array_equal(choice, [2, 0])


def test_equal_shares_have_equal_levels_and_the_absent_do_not_count():
    choice = nearest(jnp.int32(3), jnp.array([5.0, 5.0, 0.0, 5.0]), 7)
    np.testing.assert_array_equal(choice[jnp.array([0, 1, 3])], 3)


def test_the_weights_are_those_of_the_round_s_clients():
    """Of 1, 8, 64 and 1 examples two are asked, and the others' do not count."""
    examples = np.array([1, 8, 64, 1])
    made = dadaquant(federated.sampled(2, 4), 20, 2, examples=examples)
    state = made.init()._replace(doublings=jnp.int32(9))
    for seed in range(4):
        plan = made.plan(keys.seed_key(seed), state, 0)
        asked = jnp.float32(examples[np.asarray(plan.who)])
        np.testing.assert_array_equal(plan.choice, nearest(jnp.int32(9), asked, 20))


def test_messages_lengthen_by_a_bit_a_coordinate():
    """A model at rest: 2, 3, then 4 bits for each of four coordinates, two rounds each."""
    network = dadaquant(federated.everyone(2), 3, 2)
    start, data = np.zeros(4, np.float32), clients(d=4)
    fed = federated.federation(
        start, federated.gradient(loss), DOUBLING, optax.sgd(0.0), network
    )
    step = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    state, bits = federated.init(fed, start, 2), []
    for k in range(6):
        state, metrics = step(data, state, np.int32(k))
        bits.append(metrics.uplink_bits.tolist())
    assert bits == [[40, 40]] * 2 + [[44, 44]] * 2 + [[48, 48]] * 2


def test_an_uplink_of_other_options_is_refused():
    with pytest.raises(ValueError, match="chooses among 4 options.*got 3"):
        federated.federation(
            np.zeros(4),
            federated.gradient(loss),
            DOUBLING,
            optax.sgd(0.1),
            dadaquant(federated.everyone(2), 4, 2),
        )


@pytest.mark.parametrize(
    "options, widths",
    [((1, 2, 8), "[2, 3, 5]"), ((2, 1, 4), "[3, 2, 4]")],
)
def test_options_that_do_not_double_are_refused(options, widths):
    link = direct(one_of(tuple(stochastic(levels) for levels in options)))
    with pytest.raises(
        ValueError, match=rf"one bit a coordinate.*got {re.escape(widths)}"
    ):
        federated.federation(
            np.zeros(4),
            federated.gradient(loss),
            link,
            optax.sgd(0.1),
            dadaquant(federated.everyone(2), 3, 2),
        )


def test_a_network_that_chooses_widths_already_is_refused():
    once = dadaquant(federated.everyone(2), 3, 2)
    with pytest.raises(ValueError, match="dadaquant: network must lose no messages"):
        dadaquant(once, 3, 2)
