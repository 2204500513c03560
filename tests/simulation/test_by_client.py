"""What a model is to each client, against the counts by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import federated
from flq_jax.data import ClientData
from flq_jax.simulation import by_client
from flq_jax.simulation.metric import Metric


def positive(params, inputs, targets):
    return inputs[:, 0] * params > 0.0


def test_each_client_has_the_sum_over_its_own_examples(monkeypatch):
    """Three clients of 2, 3 and 0 rows, two at once: padding counts for nobody."""
    monkeypatch.setattr(by_client, "AT_ONCE", 2)
    monkeypatch.setattr(by_client, "heard_params", lambda *_: jnp.float32(2.0))
    inputs = np.float32([[1, -1, 5], [3, 4, -2], [7, 7, 7]])[..., None]
    data = ClientData(
        jnp.array(inputs), jnp.zeros((3, 3), jnp.int32), jnp.array([2, 3, 0])
    )
    find = by_client.sums_by_client(None, positive, federated.client_mesh(3))
    found = jax.jit(lambda data: find(None, None, 0, data))(data)
    assert found.tolist() == [1, 2, 0]


@pytest.mark.parametrize("better, worst", [("higher", 0.05), ("lower", 1.05)])
def test_the_worst_tenth_of_eleven_clients_are_two(better, worst):
    """0, 0.1, ..., 1.1 without 0.5; the client without examples is left out."""
    figures = [value / 10 for value in range(12) if value != 5]
    metric = Metric(positive, better)
    sums, sizes = np.array([10 * value for value in figures] + [0.0]), [10] * 11 + [0]
    found = by_client.over_clients(metric, sums, sizes)
    assert found.clients == 11
    assert found.mean == pytest.approx((6.6 - 0.5) / 11)
    assert found.worst_tenth == pytest.approx(worst)


def test_of_a_figure_that_is_not_finite_there_is_no_mean():
    metric = Metric(positive, "lower", lambda mean: np.exp(1e4 * mean))
    assert by_client.over_clients(metric, np.array([0.0, 1.0]), [1, 1]) == (
        2,
        None,
        None,
    )
    assert by_client.over_clients(metric, np.array([0.0]), [0]) == (0, None, None)
