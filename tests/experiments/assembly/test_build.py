import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from flq_jax import data, federated, keys, models
from flq_jax.configs import default
from flq_jax.experiments.assembly import build, programs
from flq_jax.experiments.process.errors import ConfigError


def config(**options):
    config = default.get_config()
    config.update_from_flattened_dict(
        {name.replace("__", "."): value for name, value in options.items()}
    )
    return config


@pytest.mark.parametrize(
    "dtype, batch, stored",
    [("u1", 5, "u1"), ("u1", 0, "f4"), ("f4", 5, "f4"), ("f4", 0, "f4")],
)
def test_examples_keep_their_type_for_minibatches(dtype, batch, stored):
    """Bytes are scaled where they are drawn; floats of a user's own set are floats."""
    inputs = np.random.default_rng(0).integers(0, 2, (12, 3)).astype(dtype)
    labels = np.arange(12) % 2
    own = data.make_dataset("own", inputs, labels, inputs[:4], labels[:4])
    wanted = config(clients=2, client__batch=batch)
    shares = build.split(wanted, own)
    found = build.examples(wanted, own, shares, federated.client_mesh(2))
    assert found.inputs.dtype == stored
    scale = 255 if (dtype, stored) == ("u1", "f4") else 1
    np.testing.assert_allclose(
        np.reshape(found.inputs, (12, 3)), inputs / scale, rtol=1e-6
    )


def test_step_follows_a_cosine_down_to_zero():
    """Ten clients, sum: 10 alpha (1 + cos(pi k / 4)) / 2 in round k of 4."""
    optimizer = programs.server_optimizer(
        config(rounds=4, server__schedule="cosine", server__learning_rate=0.3)
    )
    params, steps = jnp.zeros(()), []
    state = optimizer.init(params)
    for _ in range(5):
        update, state = optimizer.update(jnp.ones(()), state, params)
        steps.append(-float(update))
    high = 3.0 * (1 + np.sqrt(0.5)) / 2
    np.testing.assert_allclose(steps, [3.0, high, 1.5, 3.0 - high, 0.0], atol=1e-6)


def test_step_is_constant_by_default():
    optimizer = programs.server_optimizer(config(rounds=4))
    state = optimizer.init(jnp.zeros(()))
    for _ in range(5):
        update, state = optimizer.update(jnp.ones(()), state)
    assert update == pytest.approx(-0.2)


@pytest.mark.parametrize("edges", [False, True])
def test_edges_of_a_cnn_are_low_bit_on_demand(edges):
    bits = models.Bits(1, 2, 6)
    options = dict(zip(("weight", "activation", "gradient"), (1, 2, 6)))
    model = build.classifier(
        config(
            model__name="mcmahan_cnn",
            model__quantize_edges=edges,
            **{f"model__{name}_bits": width for name, width in options.items()},
        ).model,
        num_classes=7,
    )
    assert model.bits == bits and model.num_classes == 7
    assert model.edge_bits == (bits if edges else models.Bits())


@pytest.mark.parametrize("asked, at_once", [(0, 2), (3, 3)])
def test_clients_are_computed_together_as_asked_or_as_suits_the_cache(asked, at_once):
    """Two minibatches of 500 fit."""
    options = config(client__at_once=asked)
    work = programs.local_update(options.client, lambda *_: 0.0)
    params = jax.ShapeDtypeStruct((10,), np.float32)
    mesh = federated.client_mesh(6, jax.devices()[:1])
    seen = []
    grouping = programs.grouping(options, work, params, mesh)
    grouping(lambda rows: seen.append(rows.shape[0]) or rows)(jnp.zeros((6, 2)))
    assert seen[-1] == at_once


@pytest.mark.parametrize("aggregate, step", [("sum", 0.02), ("mean", 0.02)])
def test_adam_steps_by_alpha_on_a_sum_as_on_a_mean(aggregate, step):
    """Its step does not depend on the length of the gradient; SGD's does."""
    options = config(clients=100, server__optimizer="adam", server__aggregate=aggregate)
    assert programs.server_step(options) == pytest.approx(step)
    optimizer = programs.server_optimizer(options)
    update, _ = optimizer.update(jnp.ones(3), optimizer.init(jnp.zeros(3)))
    np.testing.assert_allclose(update, -step, rtol=1e-5)


@pytest.mark.parametrize(
    "options, bits",
    [
        ({}, 0),
        ({"sampled": 5}, 32),
        ({"downlink__quantizer": "uniform"}, 32),
        ({"sampled": 5, "compressor__lazy": False}, 0),
    ],
)
def test_lazy_clients_that_may_miss_a_broadcast_are_told_the_threshold(options, bits):
    lazy = {"compressor__memory": "innovation", "compressor__lazy": True}
    chosen = config(**lazy | options)
    run = build.build(chosen, data.synthetic(train=20, test=4))
    assert run.links.threshold_bits == bits


@pytest.mark.parametrize("bias", [True, False])
def test_initial_params_are_those_that_the_model_draws_by_itself(bias):
    chosen = config(model__name="mlp", model__hidden=(5,), model__bias=bias)
    run = build.build(chosen, data.synthetic(train=20, test=4))
    model = build.classifier(chosen.model, 10)
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
    chosen = config(clients=3, data__partition="natural")
    with pytest.raises(ConfigError, match="config.data.partition: .* without users"):
        build.split(chosen, own)
    owned = own._replace(train_users=np.arange(20, dtype=np.int32) % 3)
    run = build.build(chosen, owned)
    np.testing.assert_array_equal(run.data.sizes, [7, 7, 6])
    np.testing.assert_array_equal(run.data.labels[0, :7], own.train_labels[::3])
    chosen.clients = 4
    with pytest.raises(ConfigError, match="the number of users, got clients=4"):
        build.split(chosen, owned)
