import numpy as np
import pytest
from same import PARAMS, Same

from flq_jax.models import MLP, Bits, Logistic
from flq_jax.simulation.evaluation import judged
from flq_jax.tasks import regression

INPUTS = np.float32([[1.0], [2.0], [6.0]])
TARGETS = np.float32([1.0, 4.0, 3.0])


def test_half_the_squared_error_by_hand():
    """Errors 0, -2 and 3."""
    weights = np.float32([0.5, 0.25, 0.25])
    loss = regression(Same(), l2=2.0).loss
    found = loss(PARAMS, INPUTS, TARGETS, weights)
    np.testing.assert_allclose(found, (0.25 * 4 + 0.25 * 9) / 2 + 1.0)


def test_the_figure_is_the_root_of_the_mean_square():
    (name, metric), *_ = regression(Same()).metrics.items()
    total = np.asarray(metric(PARAMS, INPUTS, TARGETS)).sum()
    found = judged(np.float32(0), {name: total}, 3, {name: metric})
    np.testing.assert_allclose(found["test_rmse"], np.sqrt(13 / 3), rtol=1e-6)
    assert metric.better == "lower"


def test_only_affine_models_are_convex():
    assert regression(Logistic(1)).convex
    assert not regression(Logistic(1, bits=Bits(1))).convex
    assert not regression(MLP((4,), 1)).convex


def test_targets_of_another_number_are_refused():
    with pytest.raises(
        ValueError, match=r"regression: .*\[3, 1\] and targets \[3, 2\]"
    ):
        regression(Same()).loss(PARAMS, INPUTS, np.zeros((3, 2)), np.ones(3) / 3)
