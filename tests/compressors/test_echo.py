"""What a client knows of what the server makes of its message."""

import jax
import numpy as np
import pytest

from flq_jax.compressors import direct, error_feedback, innovation, momentum, resuming
from flq_jax.compressors.base import NO_BROADCAST, echo
from flq_jax.quantizers import eden, sign, stochastic

LINKS = {
    "direct": direct(stochastic(1)),
    "common randomness": direct(eden(1)),
    "error feedback": error_feedback(sign()),
    "innovation": innovation(sign()),
    "small steps": innovation(stochastic(1), rate=0.25),
    "small steps of momentum": momentum(innovation(stochastic(1), rate=0.25), 0.5),
    "small steps, resumed": resuming(
        lambda side: innovation(stochastic(1), rate=0.25),
        lambda message: message.side,
        np.zeros(1, np.float32),
    ),
    "momentum": momentum(direct(sign()), 0.5),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_an_echo_is_what_the_server_decodes(link):
    """Two messages on, so that who remembers something has something to remember."""
    client, server = link.init(6)

    @jax.jit
    def once(key, x, client, server):
        message, after = link.encode(key, x, client)
        decoded, server = link.decode(jax.random.clone(key), message, server)
        again = jax.random.clone(key)
        told = echo(link, again, message, client, after, NO_BROADCAST)
        return told, decoded, after, server

    for seed in range(2):
        x = np.random.default_rng(seed).standard_normal(6).astype(np.float32)
        key = jax.random.key(seed)
        told, decoded, client, server = once(key, x, client, server)
        np.testing.assert_array_equal(told, decoded)
