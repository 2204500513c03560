import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from flq_jax import data, federated, keys, models
from flq_jax.configs import default, mnist_flq_cnn
from flq_jax.experiments.assembly import build
from flq_jax.experiments.assembly.setting import setting
from flq_jax.experiments.process.errors import ConfigError


def config(**options):
    config = default.get_config()
    config.update(options)
    return config


@pytest.fixture(scope="module")
def few():
    return data.synthetic(train=120, test=4)


@pytest.mark.parametrize(
    "dtype, batch, stored",
    [("u1", 5, "u1"), ("u1", 0, "f4"), ("f4", 5, "f4"), ("f4", 0, "f4")],
)
def test_examples_keep_their_type_for_minibatches(dtype, batch, stored):
    """Bytes are scaled where they are drawn; floats of a user's own set are floats."""
    inputs = np.random.default_rng(0).integers(0, 2, (12, 3)).astype(dtype)
    labels = np.arange(12) % 2
    own = data.make_dataset("own", inputs, labels, inputs[:4], labels[:4])
    wanted = config(clients=2, client=f"gradient(batch={batch})")
    update, shares = build.client(wanted, own), build.split(wanted, own)
    found = build.examples(update, own, shares, federated.client_mesh(2), True)
    assert found.inputs.dtype == stored
    scale = 255 if (dtype, stored) == ("u1", "f4") else 1
    np.testing.assert_allclose(
        np.reshape(found.inputs, (12, 3)), inputs / scale, rtol=1e-6
    )


def steps(config, dataset, rounds):
    """How far the server's optimizer moves along gradients of one, round by round."""
    optimizer = build.build(config, dataset).federation.server_optimizer
    moved, theta = [], jnp.zeros(7850)
    state = optimizer.init(theta)
    for _ in range(rounds):
        update, state = optimizer.update(jnp.ones(7850), state, theta)
        moved.append(-float(update[0]))
        np.testing.assert_array_equal(update, update[0])
    return moved


def test_step_follows_a_cosine_down_to_zero(few):
    """Ten clients, sum: 10 alpha (1 + cos(pi k / 4)) / 2 in round k of 4."""
    server = mnist_flq_cnn.get_config().server.replace("adam", "sgd")
    found = steps(config(rounds=4, step="0.3 * clients", server=server), few, 5)
    high = 3.0 * (1 + np.sqrt(0.5)) / 2
    np.testing.assert_allclose(found, [3.0, high, 1.5, 3.0 - high, 0.0], atol=1e-6)


def test_step_is_constant_and_of_the_sum_by_default(few):
    """0.02 of each of ten clients."""
    assert steps(config(rounds=4), few, 5) == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("edges", [False, True])
def test_edges_of_a_cnn_are_low_bit_on_demand(edges):
    bits = models.Bits(1, 2, 6)
    more = ", edge_bits=Bits(1, 2, 6)" * edges
    chosen = config(model=f"mcmahan_cnn(bits=Bits(1, 2, 6){more})")
    own = data.synthetic(train=7, test=7, num_classes=7)
    model = setting(chosen, own).model
    assert model.bits == bits and model.num_classes == 7
    assert model.edge_bits == (bits if edges else models.Bits())


@pytest.mark.parametrize("asked, at_once", [(0, 2), (3, 3)])
def test_clients_are_computed_together_as_asked_or_as_suits_the_cache(
    asked, at_once, monkeypatch, few
):
    """Two minibatches of 500 fit."""
    mesh = federated.client_mesh(6, jax.devices()[:1])
    monkeypatch.setattr(federated, "client_mesh", lambda clients: mesh)
    run = build.build(config(clients=6, at_once=asked), few)
    seen = []
    grouping = run.federation.grouping
    grouping(lambda rows: seen.append(rows.shape[0]) or rows)(jnp.zeros((6, 2)))
    assert seen[-1] == at_once


def test_adam_steps_by_the_step_whatever_the_gradient_s_length(few):
    options = {"clients": 100, "server": "optax.adam(step)", "step": "0.02"}
    np.testing.assert_allclose(steps(config(**options), few, 1), 0.02, rtol=1e-5)


@pytest.mark.parametrize(
    "options, bits",
    [
        ({}, 0),
        ({"network": "sampled(5)"}, 32),
        ({"downlink": "direct(segmented(uniform(8)))"}, 32),
        ({"network": "sampled(5)", "uplink": "innovation(identity())"}, 0),
    ],
)
def test_lazy_clients_that_may_miss_a_broadcast_are_told_the_threshold(options, bits):
    chosen = config(**{"uplink": "lazy(innovation(identity()))"} | options)
    run = build.build(chosen, data.synthetic(train=20, test=4))
    assert run.links.threshold_bits == bits


@pytest.mark.parametrize("bias", [True, False])
def test_initial_params_are_those_that_the_model_draws_by_itself(bias):
    chosen = config(model=f"MLP((5,), use_bias={bias})")
    run = build.build(chosen, data.synthetic(train=20, test=4))
    model = models.MLP((5,), num_classes=10, use_bias=bias)
    key = keys.init_key(keys.seed_key(chosen.seed))
    params = model.init(key, jnp.zeros((1, 28, 28)))["params"]
    theta, _ = ravel_pytree(params)
    np.testing.assert_array_equal(run.state.params, theta)
    chex.assert_trees_all_equal(run.federation.unravel(theta), params)


def test_a_run_starts_without_plotting_solving_or_pallas():
    """Imports that would come before the first round, and take as long as the rest."""
    code = (
        "import sys; from flq_jax.experiments.engine import host_loop, sweep; "
        "print(*{name.split('.')[0] for name in sys.modules}, "
        "*(name for name in sys.modules if 'pallas.' in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "jax" in loaded
    assert not loaded & {"matplotlib", "orbax", "scipy"}
    assert not any(name.startswith("jax.experimental.pallas") for name in loaded)


def test_users_of_the_data_are_clients_on_demand():
    own = data.synthetic(train=20, test=4)
    chosen = config(clients=3, split="natural()")
    with pytest.raises(
        ConfigError, match="config.split: .* must have users, got one without"
    ):
        build.split(chosen, own)
    owned = own._replace(train_users=np.arange(20, dtype=np.int32) % 3)
    run = build.build(chosen, owned)
    np.testing.assert_array_equal(run.data.sizes, [7, 7, 6])
    np.testing.assert_array_equal(run.data.labels[0, :7], own.train_labels[::3])
    chosen.clients = 4
    with pytest.raises(ConfigError, match="the number of users, got clients=4"):
        build.split(chosen, owned)
