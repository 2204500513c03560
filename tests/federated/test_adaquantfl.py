"""AdaQuantFL: levels by the root of the loss's fall, worked by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from quadratics import clients, loss

from flq_jax import federated, keys
from flq_jax.compressors import direct
from flq_jax.federated.adaquantfl import adaquantfl, option
from flq_jax.quantizers import one_of, stochastic

DOUBLING = direct(one_of((stochastic(1), stochastic(2), stochastic(4))))


@pytest.mark.parametrize(
    "last, chosen",
    [(8.0, 0), (16.0, 0), (7.9, 1), (2.0, 1), (1.9, 2), (0.5, 2), (0.1, 2)],
)
def test_the_fewest_doublings_that_reach_the_root_of_the_fall(last, chosen):
    """From 8: sqrt(8 / 7.9) and sqrt(8 / 2) ask for 2 s_0, sqrt(8 / 1.9) = 2.05 for more."""
    assert option(jnp.float32(8.0), jnp.float32(last), 3) == chosen


def test_the_first_loss_is_kept_and_what_is_none_changes_nothing():
    made = adaquantfl(federated.everyone(2), 3)
    state, found = made.init(), []
    for each in [np.nan, 4.0, 1.0, np.inf, 0.9, 4.0]:
        state = made.hear(state, jnp.float32(each))
        plan = made.plan(keys.seed_key(0), state, 0)
        assert plan.choice.shape == (2,)
        found.append(int(plan.choice[1]))
    assert found == [0, 0, 1, 1, 2, 0]


def test_messages_lengthen_as_the_loss_falls_by_four():
    """w <- w / 2 takes every loss to a quarter: 16 -> 4 -> 1, with one client at 0."""
    network = adaquantfl(federated.everyone(1), 3)
    start = np.full(4, 4.0, np.float32)
    fed = federated.federation(
        start, federated.gradient(loss), DOUBLING, optax.sgd(0.0), network
    )
    step = jax.jit(functools.partial(federated.round_step, fed, keys.seed_key(0)))
    state, bits = federated.init(fed, start, 1), []
    data = clients((0.0,), (1.0,), (1,), d=4)
    for k in range(4):
        state, metrics = step(data, state, np.int32(k))
        state = state._replace(params=jnp.full(4, 4.0 / 2 ** (k + 1)))
        bits.append(int(metrics.uplink_bits[0]))
    assert bits == [40, 40, 44, 48]


def test_a_network_that_chooses_widths_already_is_refused():
    once = adaquantfl(federated.everyone(2), 3)
    with pytest.raises(ValueError, match="adaquantfl: network must lose no messages"):
        adaquantfl(once, 3)


def test_options_that_do_not_double_are_refused():
    link = direct(one_of((stochastic(1), stochastic(4))))
    with pytest.raises(ValueError, match=r"one bit a coordinate.*got \[2, 4\]"):
        federated.federation(
            np.zeros(4),
            federated.gradient(loss),
            link,
            optax.sgd(0.1),
            adaquantfl(federated.everyone(2), 2),
        )
