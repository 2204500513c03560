"""What both ends remember is kept once, and nothing else changes by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_network import ALL, ONE_BIT, SCRIPTED, M, run, script

from flq_jax import federated
from flq_jax.compressors import (
    direct,
    econtrol,
    error_feedback,
    innovation,
    lazy,
    marina,
    momentum,
    resuming,
)
from flq_jax.federated.mirrored import AtServer, as_kept, both_ends, unmirrored, whole
from flq_jax.quantizers import sign, stochastic
from flq_jax.simulation.leaves import nbytes

D = 5
LINK, ROUNDS = innovation(sign()), 6
# What a client keeps beside what the server has: vectors f32[d], and single numbers.
KEPT = {
    "direct": (direct(sign()), 0, 0),
    "error feedback": (error_feedback(sign()), 1, 0),
    "innovation": (LINK, 0, 0),
    "small steps": (innovation(stochastic(1), rate=0.25), 0, 0),
    "lazy": (lazy(LINK), 0, 2),  # the rounds of silence and the last error
    "momentum": (momentum(lazy(LINK), 0.5), 1, 2),
    "econtrol": (econtrol(sign(), 0.1), 1, 0),
    "marina": (marina(sign(), 0.5), 1, 1),
    "resuming": (resuming(lambda side: LINK, lambda m: m.side, jnp.zeros(1)), 0, 1),
}


@pytest.mark.parametrize("link, vectors, numbers", KEPT.values(), ids=KEPT)
def test_a_client_keeps_what_the_server_does_not(link, vectors, numbers):
    client, server = link.init(D)
    kept = unmirrored(link, client)
    assert sorted(leaf.size for leaf in jax.tree.leaves(kept)) == sorted(
        [D] * vectors + [1] * numbers
    )
    theirs = jax.tree.map(lambda leaf: leaf + 7, server)
    made = whole(link, kept, theirs)
    assert jax.tree.structure(made) == jax.tree.structure(client)
    if link.mirrored is not None:
        jax.tree.map(np.testing.assert_array_equal, link.mirrored(made), theirs)
    again = jax.tree.structure(as_kept(kept, made))
    assert again == jax.tree.structure(kept)


@pytest.mark.parametrize(
    "mirrored", [lambda r: 2 * r, lambda r: r.real, lambda r: (r, np.zeros(3))]
)
def test_a_mirrored_that_computes_is_no_proof(mirrored):
    """Nobody could put what it gives back in its place: both ends keep theirs."""
    link, client = LINK._replace(mirrored=mirrored), jnp.arange(3.0)
    assert unmirrored(link, client) is client
    assert whole(link, client, jnp.zeros(3)) is client


NETWORKS = {
    "everyone": (federated.everyone(M), ()),
    "sampled": (federated.sampled(2, M), ()),
    "lost and away": (
        SCRIPTED,
        script(
            [ALL, [True, False, True, True]] * 3, [ALL, [True, True, False, True]] * 3
        ),
    ),
}


@pytest.mark.parametrize("network, told", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(
    "link", [ONE_BIT, momentum(LINK, 0.5)], ids=["lazy", "momentum"]
)
def test_rounds_are_those_of_ends_that_keep_both(link, network, told):
    """To the bit, see `ONE_BIT`: a state with whole memories goes on with them."""
    two, one = (
        run(link, told, ROUNDS, 0.1, network=network, apart=apart)[0]
        for apart in (True, False)
    )
    jax.tree.map(
        np.testing.assert_array_equal,
        link.mirrored(two.client_memory),
        two.server_memory,
    )
    assert np.any(one.server_memory != 0.0)
    jax.tree.map(np.testing.assert_array_equal, both_ends(link, one), two)
    assert nbytes(two) - nbytes(one) == M * 3 * 4  # a reference of each client, f32[3]


def test_a_memory_that_no_place_stands_in_is_left_alone():
    """Elsewhere a server has numbers in the place of what its clients remember."""
    counted = np.arange(M)
    assert whole(ONE_BIT, counted, np.zeros((M, 3))) is counted
    assert as_kept(AtServer(), counted) == AtServer()
    assert as_kept(counted, counted) is counted
