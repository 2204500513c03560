"""Every compressor of ours keeps both ends together: one line each."""

import jax.numpy as jnp
import pytest

from flq_jax.compressors import (
    clag,
    direct,
    econtrol,
    error_feedback,
    innovation,
    lazy,
    marina,
    momentum,
    perm_k,
    resuming,
)
from flq_jax.quantizers import (
    geometric,
    identity,
    levels_of,
    lloyd_max,
    sign,
    stochastic,
    top_k,
    uniform,
    warm_up,
)
from flq_jax.testing import check_compressor

LINKS = {
    "direct": direct(stochastic(3)),
    "error_feedback": error_feedback(sign()),
    "innovation": innovation(uniform(3)),
    "zooming": innovation(uniform(4, geometric(8.0, 0.9))),
    "lag": lazy(innovation(identity())),
    "laq": lazy(innovation(uniform(4))),
    "flq": lazy(innovation(sign()), error_weight=0.0),
    "ef21": innovation(top_k(3, 23)),
    "clag": clag(innovation(top_k(3, 23)), zeta=2.0),
    "signum": momentum(direct(sign(1.0)), 0.9),
    "onebit_adam": momentum(error_feedback(warm_up(sign(), 10)), 0.9),
    "lloyd_max": innovation(lloyd_max(4)),
    "resuming": resuming(
        lambda start: lazy(innovation(lloyd_max(4, start=start))),
        levels_of,
        jnp.zeros(4),
    ),
    "diana": innovation(stochastic(1), rate=0.2),
    "sparseloco": error_feedback(top_k(3, 23, values=stochastic(1)), decay=0.95),
    "ef21_sgdm": momentum(innovation(top_k(3, 23)), 0.9),
    "econtrol": econtrol(top_k(3, 23), 0.1),
    "marina": marina(stochastic(1), 0.2),
    "perm_k": perm_k(3),
    "perm_k_of_signs": perm_k(5, sign()),
    "lazy_momentum": momentum(lazy(innovation(uniform(4))), 0.5),
}


@pytest.mark.parametrize("name", LINKS)
def test_both_ends_agree_through_a_hundred_messages_with_random_silence(name):
    check_compressor(LINKS[name])


@pytest.mark.parametrize(
    "name, follows",
    [
        ("econtrol", 1e-3),
        # p = 0.2: a constant x has no changes to send, and x itself came first.
        ("marina", 0.0),
        # The mean of 100 unbiased estimates, whose reference has come near by then.
        ("diana", 0.2),
    ],
)
def test_it_follows_an_x_that_does_not_change(name, follows):
    check_compressor(LINKS[name], follows=follows)
