"""Every compressor of ours keeps both ends together: one line each."""

import jax.numpy as jnp
import pytest

from flq_jax.compressors import (
    clag,
    direct,
    error_feedback,
    innovation,
    lazy,
    momentum,
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
    "lazy_momentum": momentum(lazy(innovation(uniform(4))), 0.5),
}


@pytest.mark.parametrize("name", LINKS)
def test_both_ends_agree_through_a_hundred_messages_with_random_silence(name):
    check_compressor(LINKS[name])
