"""What a classifier minimises, and how it is judged."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flq_jax as flq
from flq_jax.models import MLP, Bits, Logistic

INPUTS = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
LABELS = jnp.array([0, 1, 1])
# Logits are the inputs: labels 0 and 1 are told right, of a tie the first is taken.
PARAMS = {"output": {"kernel": jnp.eye(2), "bias": jnp.zeros(2)}}


def test_accuracy_is_whether_the_largest_logit_is_the_labels():
    task = flq.classification(Logistic(2))
    assert list(task.metrics) == ["test_accuracy"]
    right = task.metrics["test_accuracy"](PARAMS, INPUTS, LABELS)
    np.testing.assert_array_equal(right, [True, True, False])


def test_the_loss_is_cross_entropy_and_the_penalty():
    task = flq.classification(Logistic(2), l2=0.5)
    weights = jnp.array([0.5, 0.0, 0.5])
    found = task.loss(PARAMS, INPUTS, LABELS, weights, jax.random.key(0))
    by_hand = 0.5 * np.log1p(np.exp(-1.0)) + 0.5 * np.log(2.0) + 0.25 * 2.0
    assert found == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.parametrize(
    "model, convex",
    [
        (Logistic(), True),
        (Logistic(use_bias=False, bits=Bits(32, 32, 32)), True),
        (Logistic(bits=Bits(1, 32, 32)), False),
        (Logistic(bits=Bits(32, 32, 8)), False),
        (MLP((3,)), False),
        (nn.Dense(2), False),
    ],
)
def test_the_logistic_loss_alone_is_convex_and_only_at_full_precision(model, convex):
    assert flq.classification(model).convex is convex


def test_what_is_no_module_is_refused_in_one_line():
    with pytest.raises(TypeError) as caught:
        flq.classification(0.01)
    assert str(caught.value) == "classification: model must be a flax module, got float"


@pytest.mark.parametrize("l2", [-1.0, float("nan"), float("inf"), 1e-46, "a"])
def test_a_penalty_that_cannot_be_is_refused(l2):
    with pytest.raises(ValueError, match="^classification: l2 must be finite and 0 or"):
        flq.classification(Logistic(), l2)


def test_a_task_is_not_convex_unless_it_says_so():
    assert not flq.Task(lambda *_: 0.0, {}).convex


@pytest.mark.parametrize("logits, fits", [(9, False), (10, True), (12, True)])
def test_a_class_without_a_logit_is_refused(logits, fits):
    """Its examples would be learned at no loss: the one-hot of a label beyond is 0."""
    model = Logistic(logits)
    params = {"output": {"kernel": jnp.zeros((logits, 4)), "bias": jnp.zeros(logits)}}
    task = flq.classification(model, num_classes=10)
    given = params, jnp.ones((2, 4)), jnp.array([0, 9]), jnp.full(2, 0.5)
    if fits:
        np.testing.assert_allclose(task.loss(*given), np.log(logits), rtol=1e-6)
    else:
        with pytest.raises(ValueError, match="each of the 10 classes, got 9"):
            task.loss(*given)
