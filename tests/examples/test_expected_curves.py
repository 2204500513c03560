"""DIANA and MARINA have the curves on average that are worked out by hand."""

import pathlib
import runpy

import jax
import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[2] / "examples" / "expected_curves.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(PATH))


@pytest.mark.more
@pytest.mark.parametrize("name", ["DIANA", "MARINA"])
def test_the_mean_of_many_runs_lies_on_the_curve(name, example):
    """Within five standard errors after each of ten rounds, to which floats add little."""
    with jax.numpy_rank_promotion("allow"):  # as a user has it
        wanted, found, errors = example["compared"](name, 10, 400)
    assert (errors[2:] > 1e-4 * wanted[2:]).all() and (errors < 0.2 * wanted).all()
    assert (np.abs(found - wanted) <= 5 * errors + 1e-4 * wanted).all()


@pytest.mark.parametrize("name", ["diana_curve", "marina_curve"])
def test_without_noise_a_curve_is_gradient_descent_s(name, example):
    """omega = 0: only (1 - s)^2 of it is left."""
    curve = example[name]
    curve.__globals__["OMEGA"] = 0.0
    np.testing.assert_allclose(curve(3, 1.0, 2.0, step=0.5), 0.25 ** np.arange(4))
