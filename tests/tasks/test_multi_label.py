import numpy as np
import pytest
from same import PARAMS, Same

from flq_jax.simulation.evaluation import judged
from flq_jax.tasks import multi_label

LOGITS = np.float32([[5.0, -5.0, 0.0], [3.0, 3.0, -3.0]])
TARGETS = np.array([[True, False, False], [False, True, True]])


def test_the_loss_of_a_logit_of_zero_is_that_of_a_coin():
    loss = multi_label(Same()).loss
    found = loss(PARAMS, np.zeros((1, 3)), TARGETS[:1], np.ones(1, np.float32))
    np.testing.assert_allclose(found, np.log(2), rtol=1e-6)


def test_f1_counts_all_labels_together():
    """Two right, one told wrongly, one missed: 4 / (4 + 1 + 1)."""
    metrics = multi_label(Same()).metrics
    sums = {
        name: np.asarray(metric(PARAMS, LOGITS, TARGETS)).sum(axis=0)
        for name, metric in metrics.items()
    }
    np.testing.assert_array_equal(sums["test_f1"], [4, 6])
    assert judged(np.float32(0), sums, 2, metrics)["test_f1"] == pytest.approx(2 / 3)


def test_targets_of_another_number_of_labels_are_refused():
    with pytest.raises(ValueError, match=r"multi_label: .*\[2, 3\] and targets \[2\]"):
        multi_label(Same()).loss(PARAMS, LOGITS, np.zeros(2), np.ones(2) / 2)
