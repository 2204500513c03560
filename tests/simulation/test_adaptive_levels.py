"""Networks that choose levels by the loss: interrupted, they go on with the same bits."""

import jax
import numpy as np
import optax
import pytest
from more import more

import flq_jax as flq

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 6))
Y = X @ np.arange(6.0) + RNG.standard_normal(40)
DOUBLING = flq.one_of((flq.stochastic(1), flq.stochastic(2), flq.stochastic(4)))
ROUNDS, CUT = 14, 10


def errors(params, inputs, targets):
    return (inputs @ params["w"] - targets) ** 2 / 2


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def simulation(network, rate):
    return flq.Simulation(
        {"w": np.zeros(6)},
        flq.mean_of(errors),
        (X, Y),
        clients=4,
        server=optax.sgd(rate),
        uplink=flq.direct(DOUBLING),
        network=network,
    )


def lengths(rows):
    """Uplink bits of each round."""
    return np.diff([0, *(row["uplink_bits"] for row in rows)]).tolist()


@pytest.mark.parametrize(
    "network, rate",
    [
        more(
            flq.dadaquant(flq.everyone(4), 3, 2, 0.0, examples=[10] * 4),
            0.5,
            id="dadaquant",
        ),
        pytest.param(flq.adaquantfl(flq.sampled(3, 4), 3), 0.06, id="adaquantfl"),
    ],
)
def test_an_interrupted_run_sends_the_bits_it_would_have_sent(network, rate, tmp_path):
    """Both change their levels before the cut and after it."""
    whole = simulation(network, rate)
    list(whole.run(rounds=ROUNDS, every=1))
    sent = lengths(whole.rows)
    assert len({*sent[:CUT]}) > 1 and len({*sent[CUT:]}) > 1
    first = simulation(network, rate)
    for row in first.run(rounds=ROUNDS, every=1, checkpoints=tmp_path):
        if row["round"] == CUT:
            break
    second = simulation(network, rate)
    rest = list(second.run(rounds=ROUNDS, every=1, checkpoints=tmp_path))
    assert len(rest) == ROUNDS - CUT and second.rows == whole.rows
    assert lengths(second.rows) == sent and second.bits == whole.bits
    assert same(second.params, whole.params)
