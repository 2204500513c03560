"""Sequences of two positions and three tokens, whose logits are given as they are."""

import flax.linen as nn
import numpy as np
import optax
import pytest
from same import PARAMS, Same

import flq_jax as flq
from flq_jax.simulation.evaluation import judged
from flq_jax.tasks import next_token


class Following(nn.Module):
    """Logits by the token before: i32[b, t] -> f32[b, t, 3]."""

    @nn.compact
    def __call__(self, tokens):
        return self.param("table", nn.initializers.zeros, (3, 3))[tokens]


# Probabilities 1/4, 1/4, 1/2 everywhere, so that 2 is told.
LOGITS = np.broadcast_to(np.log([0.25, 0.25, 0.5]), (3, 2, 3)).astype(np.float32)
TARGETS = np.int32([[2, 0], [2, -1], [-1, -1]])
HALF, QUARTER = np.log(2), np.log(4)


def figures(task, inputs, targets):
    sums = {
        name: np.asarray(metric(PARAMS, inputs, targets)).sum(axis=0)
        for name, metric in task.metrics.items()
    }
    return judged(np.float32(0), sums, len(targets), task.metrics)


def test_a_sequences_loss_is_the_mean_of_its_positions():
    weights = np.float32([0.5, 0.25, 0.25])
    expected = 0.5 * (HALF + QUARTER) / 2 + 0.25 * HALF
    found = next_token(Same()).loss(PARAMS, LOGITS, TARGETS, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    penalised = next_token(Same(), l2=3.0).loss(PARAMS, LOGITS, TARGETS, weights)
    np.testing.assert_allclose(penalised, expected + 1.5, rtol=1e-6)


def test_every_position_counts_alike_in_the_figures():
    """Of three positions two are told right; their mean entropy is 4/3 log 2."""
    found = figures(next_token(Same()), LOGITS, TARGETS)
    np.testing.assert_allclose(found["test_accuracy"], 2 / 3)
    np.testing.assert_allclose(found["test_perplexity"], 2 ** (4 / 3), rtol=1e-6)


def test_targets_of_whole_contexts_are_of_the_last_position():
    found = figures(next_token(Same()), LOGITS, np.int32([2, 1, 2]))
    np.testing.assert_allclose(found["test_accuracy"], 2 / 3)
    np.testing.assert_allclose(found["test_perplexity"], 2 ** (4 / 3), rtol=1e-6)


def test_a_perplexity_is_better_when_it_is_lower():
    metrics = next_token(Same()).metrics
    assert metrics["test_accuracy"].better == "higher"
    assert metrics["test_perplexity"].better == "lower"


def test_targets_of_another_length_are_refused():
    with pytest.raises(
        ValueError, match=r"next_token: targets .*\[3, 2, 3\].*\[3, 5\]"
    ):
        next_token(Same()).loss(
            PARAMS, LOGITS, np.zeros((3, 5), np.int32), np.ones(3, np.float32) / 3
        )


def test_clients_learn_a_sequence_by_heart():
    """0 1 2 0 1 2 ...: what comes next is certain, a perplexity of 1."""
    rows = np.arange(9)[None] + np.arange(4)[:, None]
    tokens = (rows % 3).astype(np.int32)
    task = next_token(Following())
    sim = flq.Simulation(
        {"table": np.zeros((3, 3))},
        task.loss,
        (tokens[:, :8], tokens[:, 1:]),
        clients=2,
        server=optax.sgd(3.0),
        test=(tokens[:, :8], tokens[:, 1:]),
        evaluate=task.metrics,
    )
    first, *_, last = sim.run(rounds=50, every=25)
    assert first["test_perplexity"] > last["test_perplexity"] > 1.0
    assert last["test_accuracy"] == 1.0 and last["test_perplexity"] < 1.1
