"""The made data set: even, repeatable, and as hard as it says."""

import numpy as np
import pytest
from scipy.stats import norm

from flq_jax.data import synthetic


def test_shapes_types_and_even_classes():
    data = synthetic(train=103, test=20)
    assert data.train_inputs.shape == (103, 28, 28)
    assert data.test_inputs.shape == (20, 28, 28)
    assert data.train_inputs.dtype == data.test_inputs.dtype == np.uint8
    assert (data.name, data.num_classes) == ("synthetic", 10)
    counts = np.bincount(data.train_labels)
    assert len(counts) == 10
    assert counts.max() - counts.min() <= 1


def test_a_seed_is_a_data_set():
    assert synthetic(3, train=50).digest == synthetic(3, train=50).digest
    assert synthetic(3, train=50).digest != synthetic(4, train=50).digest


def nearest_mean_error(data):
    """Error on the test half of the nearest class mean of the training half."""
    train = data.train_inputs.reshape(len(data.train_inputs), -1).astype(np.float64)
    test = data.test_inputs.reshape(len(data.test_inputs), -1).astype(np.float64)
    means = [train[data.train_labels == k].mean(0) for k in range(data.num_classes)]
    distances = np.stack([np.square(test - mean).sum(1) for mean in means], 1)
    return np.mean(distances.argmin(1) != data.test_labels)


def test_error_of_two_classes_is_that_of_two_gaussians():
    """Phi(-separation / 2), within 5 sigma and the spread of the distance itself.

    The distance of two random means in 25 dimensions varies by about 1 / sqrt(50) of
    it, and three times that is allowed for. The means that are learned from 2000
    examples each are off by little beside it.
    """
    data = synthetic(train=4000, test=4000, num_classes=2, separation=2.0, side=5)
    low, high = norm.cdf(-1.0 * (1 + 3 / 50**0.5)), norm.cdf(-1.0 * (1 - 3 / 50**0.5))
    sigma = (high * (1 - high) / 4000) ** 0.5
    assert low - 5 * sigma <= nearest_mean_error(data) <= high + 5 * sigma


def test_default_classes_are_told_apart():
    """Known means would err on 9 Phi(-4) = 3e-4; 200 examples a class come close."""
    assert nearest_mean_error(synthetic()) <= 0.01


def test_no_separation_is_no_information():
    error = nearest_mean_error(synthetic(train=500, test=2000, separation=0.0))
    assert abs(error - 0.9) <= 5 * (0.9 * 0.1 / 2000) ** 0.5


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"seed": -1}, "seed=-1"),
        ({"test": 0}, "test=0"),
        ({"side": 0}, "side=0"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_classes": 257}, "num_classes=257"),
        ({"train": 9}, "train=9"),
        ({"separation": -1.0}, "separation=-1.0"),
        ({"separation": float("nan")}, "separation=nan"),
        ({"separation": float("inf")}, "separation=inf"),
    ],
)
def test_arguments_out_of_range_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"synthetic: .*{message}"):
        synthetic(**bad)
