import math

import numpy as np
import pytest

from flq_jax.simulation.metric import Metric, figure, ratio


def values(params, inputs, targets):
    return params * inputs - targets


def test_a_metric_is_its_function():
    assert Metric(values)(2, 3, 4) == 2 and Metric(values).better == "higher"


def test_the_figure_is_made_of_the_mean():
    squared = Metric(values, "lower", np.sqrt)
    assert figure(squared, np.float32(36.0), 4) == 3.0
    found = figure(Metric(values, of_mean=ratio), np.int32([6, 8]), 10)
    assert math.isclose(found, 0.75)
    assert figure(Metric(values), np.int32(3), 4) == figure(values, np.int32(3), 4)
    assert figure(values, np.int32(3), 4) == 0.75


def test_what_is_not_finite_is_no_figure():
    assert figure(Metric(values, "lower", np.exp), np.float32(1e6), 1) is None
    assert figure(Metric(values, of_mean=ratio), np.int32([0, 0]), 10) is None
    assert math.isclose(
        figure(Metric(values, "lower", np.exp), np.float32(20), 10), math.e**2
    )


@pytest.mark.parametrize("better", ["more", None, 1])
def test_a_direction_is_up_or_down(better):
    with pytest.raises(
        ValueError, match="^Metric: better must be one of higher, lower"
    ):
        Metric(values, better)
