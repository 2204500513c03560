"""1-bit Adam: Adam while it warms up, a fixed preconditioner from then on."""

import jax
import numpy as np
import optax
import pytest

from flq_jax.federated import onebit_adam

RNG = np.random.default_rng(0)
GRADIENTS = RNG.normal(size=(12, 5)).astype(np.float32)


def updates(optimizer, xs):
    state, each = optimizer.init(np.zeros(5, np.float32)), []
    step = jax.jit(optimizer.update)
    for x in xs:
        update, state = step(x, state)
        each.append(update)
    return np.stack(each), state


def averages(beta):
    average, each = np.zeros(5, np.float32), []
    for gradient in GRADIENTS:
        average = beta * average + (1 - beta) * gradient
        each.append(average)
    return each


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_warm_up_is_adam_on_the_gradients(beta):
    ours, _ = updates(onebit_adam(0.1, 12, beta), averages(beta))
    adams, _ = updates(optax.adam(0.1, beta), GRADIENTS)
    np.testing.assert_allclose(ours, adams, rtol=1e-4, atol=1e-6)


def test_afterwards_the_second_moment_is_frozen():
    first, frozen = updates(onebit_adam(0.1, 4, 0.9), averages(0.9)[:4])
    steps, state = updates(onebit_adam(0.1, 4, 0.9), averages(0.9))
    np.testing.assert_array_equal(state.variance, frozen.variance)
    np.testing.assert_array_equal(steps[:4], first)
    squares = np.square(GRADIENTS[:4])
    second = (
        sum(0.999 ** (3 - i) * squares[i] for i in range(4)) * 1e-3 / (1 - 0.999**4)
    )
    expected = -0.1 * averages(0.9)[9] / (1 - 0.9**10) / np.sqrt(second)
    np.testing.assert_allclose(steps[9], expected, rtol=1e-4)


def test_the_round_index_ends_the_warm_up():
    """Round 1 of 3 is not heard: Adam's corrections count two updates, not three."""
    optimizer = onebit_adam(0.1, 3, 0.9)
    state = optimizer.init(np.zeros(5, np.float32))
    step = jax.jit(optimizer.update)
    sent = averages(0.9)
    for k in (0, 2, 3):
        update, state = step(sent[k], state, round_index=np.int32(k))
    assert (state.count, state.warmed) == (3, 2)
    # Seen from the server: averages of rounds 0 and 2, then 3 with v as it was.
    gradients = [sent[0] / 0.1, (sent[2] - 0.9 * sent[0]) / 0.1]
    second = sum(0.999 ** (1 - i) * 1e-3 * gradients[i] ** 2 for i in range(2))
    second /= 1 - 0.999**2
    expected = -0.1 * sent[3] / (1 - 0.9**3) / np.sqrt(second)
    np.testing.assert_allclose(update, expected, rtol=1e-4)


def test_without_a_round_of_the_warm_up_there_is_no_step():
    """All clients were lost, or diverged, in rounds 0 and 1: a model of NaN stays so."""
    optimizer = onebit_adam(0.1, 2, 0.9)
    state = optimizer.init(np.zeros(5, np.float32))
    update, state = optimizer.update(GRADIENTS[0], state, round_index=np.int32(2))
    np.testing.assert_array_equal(update, np.zeros(5))
    assert (state.count, state.warmed) == (1, 0)


@pytest.mark.parametrize(
    "options, match",
    [
        ({"warm_up": 0}, "warm_up=0"),
        ({"b1": 1.0}, "b1=1.0"),
        ({"b2": -0.5}, "b2=-0.5"),
        ({"step": 0.0}, "step=0.0"),
        ({"eps": 0.0}, "eps=0.0"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        onebit_adam(**{"step": 0.1, "warm_up": 1} | options)


def test_it_is_called_by_the_names_that_optax_calls():
    optimizer = onebit_adam(0.5, 1, 0.9)
    x, state = GRADIENTS[0], optimizer.init(np.zeros(5, np.float32))
    # Round one of Adam, on the average (1 - b1) g: a step of the gradient's sign.
    named, _ = optimizer.update(updates=np.float32(0.1) * x, state=state, params=x)
    np.testing.assert_allclose(named, -0.5 * np.sign(x), rtol=1e-4)
