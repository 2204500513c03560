"""What is told of a run's messages, against its own rounds and by hand."""

import json

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from flq_jax import data, federated, keys
from flq_jax.configs.paper import fig3
from flq_jax.experiments.assembly import build
from flq_jax.experiments.reading import studies
from flq_jax.experiments.reading.studies import Watched


@pytest.fixture(scope="module")
def config():
    config = fig3.get_config()
    config.clients, config.rounds, config.client = 2, 6, "gradient(batch=20)"
    config.data = "synthetic()"
    return config


@pytest.fixture(scope="module")
def dataset():
    return data.synthetic(train=100, test=10)


@pytest.mark.more
def test_the_watched_rounds_are_the_runs_own(config, dataset):
    run = build.build(config, dataset)
    watched = jax.tree.map(np.asarray, studies.watch(run, config.rounds))
    step = jax.jit(
        lambda state, k: federated.round_step(
            run.federation, run.root, run.data, state, k
        )
    )
    state = run.state
    for k in range(config.rounds):
        state, metrics = step(state, np.int32(k))
        bits, kept = np.asarray(metrics.uplink_bits), np.asarray(state.server_memory)
        assert watched.num_bits[k] == bits[0]
        np.testing.assert_allclose(watched.estimate[k], kept[0], rtol=1e-4, atol=1e-6)
        if bits[0]:
            # Eight bits of the innovation, whose range is at most the two vectors'.
            error = np.abs(watched.estimate[k] - watched.gradient[k])
            before = watched.estimate[k - 1] if k else np.zeros_like(error)
            reach = np.max(np.abs(watched.gradient[k] - before))
            assert np.max(error) <= reach / 255 * (1 + 1e-3)


def test_flips_entropies_and_coordinates_by_hand():
    gradient = np.array([[1.0, 0.1, -3.0], [1.0, 0.1, -3.0], [2.0, 0.1, 3.0]])
    estimate = np.array([[1.0, 1.0, -1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    found = studies.messages(
        Watched(gradient, estimate, np.array([1.5, np.nan, 0.5]), np.array([9, 0, 9]))
    )
    assert found["sign_flips"] == [None, 0.0, pytest.approx(2 / 3)]
    assert found["entropy"] == [1.5, None, 0.5]
    assert found["coordinates"] == [2, 0]
    assert found["gradient"][0] == [-3.0, -3.0, 3.0]
    assert found["relative_error"][2] == pytest.approx(
        ((3 + 0) ** 2 + 0.9**2 + 2**2) ** 0.5 / (4 + 0.01 + 9) ** 0.5
    )


@pytest.mark.more
def test_levels_of_least_error_stay_below_even_ones_and_follow_the_theory(monkeypatch):
    monkeypatch.setattr(studies, "NUM_LEVELS", (2, 16, 64))
    gradients = 0.01 * np.random.default_rng(0).laplace(size=(2, 20_000))
    gradients = gradients.astype(np.float32)
    found = studies.levels(Watched(gradients, None, None, None), every=1)
    best, even, theory = (
        np.array(found[n]) for n in ("lloyd_max", "uniform", "theory")
    )
    assert np.all(best <= even) and found["rms"] == pytest.approx(
        0.02**0.5 / 10, rel=0.05
    )
    # Laplace: D = 4.5 sigma^2 / k^2 in the limit.
    wanted = (4.5 * 2e-4) ** 0.5 / np.array(found["levels"])
    np.testing.assert_allclose(theory, wanted, rtol=0.1)
    many = np.array(found["levels"]) >= 16
    np.testing.assert_allclose(best[many], theory[many], rtol=0.15)


def test_the_knee_is_farthest_below_the_line():
    # On 1, 1/4, 1/16 ... the line from (0, 1) to (1, 0) is farthest at the second.
    assert studies._knee(np.arange(5.0), [4.0**-i for i in range(5)]) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("field", ["gradient", "estimate"])
def test_the_first_round_without_a_finite_norm_is_found(field, value):
    """The square of 1e30 is none of f32's."""
    ones = np.ones((3, 2), np.float32)
    watched = Watched(ones, ones, None, None)
    assert studies.first_not_finite(watched) == 0
    bad = ones.copy()
    bad[1:, 1] = value
    assert studies.first_not_finite(watched._replace(**{field: bad})) == 2


def test_there_is_no_study_of_what_is_not_finite(
    config, dataset, tmp_path, monkeypatch, capsys
):
    bad = np.array([[1.0, 1.0], [1.0, np.nan]], np.float32)
    watched = Watched(bad, bad, bad[:, 0], np.array([9, 9]))
    monkeypatch.setattr(studies, "watch", lambda run, num_rounds: watched)
    studies.write(config, dataset, tmp_path, 2)
    assert (
        "gradient or its estimate is not finite in round 2" in capsys.readouterr().out
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.more
@pytest.mark.parametrize("study", ["messages", "levels"])
def test_a_study_leaves_a_figure_and_its_numbers(
    study, config, dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(studies, "NUM_LEVELS", (2, 4))
    changed = config.copy_and_resolve_references()
    changed.log.study = study
    studies.write(changed, dataset, tmp_path, config.rounds)
    assert (tmp_path / f"{study}.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / f"{study}.json").read_text())
    assert (
        len(found["round" if study == "messages" else "levels"])
        == {"messages": 6, "levels": 2}[study]
    )


def test_without_a_study_nothing_is_written(config, dataset, tmp_path):
    changed = config.copy_and_resolve_references()
    changed.log.study = "none"
    studies.write(changed, dataset, tmp_path, config.rounds)
    assert not list(tmp_path.iterdir())


def test_the_watched_client_has_its_own_examples_where_clients_differ(config, dataset):
    """Its first full gradient, of the examples that the split gives it."""
    config = config.copy_and_resolve_references()
    config.clients, config.rounds, config.client = 4, 1, "gradient(batch=0)"
    config.split, config.model = "quantity_skew(alpha=0.5, min_size=1)", "Logistic()"
    parts = build.split(config, dataset)
    assert max(map(len, parts)) * 4 > 1.1 * 100  # they lie flat
    for client in (0, 3):
        run, mine = build.build(config, dataset), parts[client]
        watched = studies.watch(run, 1, client)
        model = federated.heard(
            run.federation.downlink,
            keys.round_keys(run.root, 0),
            run.state.params,
            run.state.downlink,
            0,
        ).model
        weights = np.full(len(mine), 1 / len(mine), np.float32)
        images = dataset.train_inputs[mine] / np.float32(255)
        gradient = jax.grad(run.task.loss)(
            run.federation.unravel(model), images, dataset.train_labels[mine], weights
        )
        found, _ = ravel_pytree(gradient)
        np.testing.assert_allclose(watched.gradient[0], found, rtol=1e-4, atol=1e-6)
