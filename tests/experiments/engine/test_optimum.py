"""f* by L-BFGS, beside what is known of it."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import data, federated
from flq_jax.configs import mnist_gd
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.engine import host_loop
from flq_jax.experiments.engine.optimum import kept, least_loss
from flq_jax.experiments.folder.record import Job


@pytest.mark.more
def test_no_loss_is_below_it_and_its_gradient_vanishes():
    config = mnist_gd.get_config()
    config.clients, config.data = 3, "synthetic()"  # 2,000 examples: uneven clients
    run = build(config, data.synthetic())
    least = least_loss(run)

    def loss(theta):
        params = run.federation.unravel(theta)
        local = [
            run.task.loss(
                params,
                *federated.whole(jax.tree.map(lambda x, m=m: x[m], run.data)),
                None,
            )
            for m in range(3)
        ]
        return jnp.dot(run.data.sizes / jnp.sum(run.data.sizes), jnp.stack(local))

    # Gradient descent from anywhere comes close from above: f is strongly convex with
    # mu = l2, so that f - f* <= ||g||^2 / (2 mu) wherever it stops.
    slope = jax.jit(jax.value_and_grad(loss))
    theta = np.asarray(run.state.params)
    start, gradient = slope(theta)
    for _ in range(300):
        theta = theta - np.float32(0.1) * np.asarray(gradient)
        value, gradient = slope(theta)
    slack = np.sum(np.square(gradient)) / (2 * 0.01)
    assert -1e-6 <= float(value) - least <= slack + 1e-6
    assert np.isfinite(least) and least < float(start)


def test_what_was_solved_is_kept_to_the_last_bit(tmp_path):
    path, of = tmp_path / "optimum.json", {"data": "a", "partition": "b"}
    values = iter((1 / 3, 0.1, 0.2))

    def solve():
        return next(values)

    assert kept(path, of, solve) == 1 / 3
    assert kept(path, of, solve) == 1 / 3
    # Other examples have another one.
    assert kept(path, of | {"data": "c"}, solve) == 0.1
    assert kept(path, of | {"data": "c"}, solve) == 0.1
    assert kept(path, of, solve) == 0.2


NO_NUMBERS = ["null", "NaN", "-Infinity", "1" + 400 * "0"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[3]", 100_000 * "[", '{"data": "a"}']
    + [f'{{"data": "a", "optimum": {number}}}' for number in NO_NUMBERS],
)
def test_a_damaged_file_is_solved_anew(text, tmp_path):
    path = tmp_path / "optimum.json"
    path.write_text(text)
    assert kept(path, {"data": "a"}, lambda: 0.5) == 0.5
    assert kept(path, {"data": "a"}, lambda: 0.6) == 0.5


def test_another_models_optimum_is_not_taken(tmp_path, monkeypatch):
    """A folder where nothing was computed but f* may be given another config."""
    solved = []
    monkeypatch.setattr(host_loop, "least_loss", lambda run: solved.append(run) or 0.5)
    config, dataset = mnist_gd.get_config(), SimpleNamespace(digest="a")
    run = SimpleNamespace(partition=SimpleNamespace(digest="b"))
    job = Job("", config, dataset, tmp_path)
    for _ in range(2):
        assert host_loop.stop_at(job, run) == 0.5 + config.stop.residual
    assert len(solved) == 1
    config.task = "classification( l2 = 0.01 )"  # as it was
    host_loop.stop_at(job, run)
    assert len(solved) == 1
    config.task = "classification(l2=0.5)"
    host_loop.stop_at(job, run)
    config.model = "Logistic(use_bias=False)"
    host_loop.stop_at(job, run)
    assert len(solved) == 3
