"""Clients on several devices: the same rounds, and one sum between the devices."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys
from flq_jax.compressors import error_feedback, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import segmented, sign, uniform

D = 24
LINKS = {
    "lazy 1-bit": lazy(innovation(sign()), error_weight=0.0),
    "error feedback": error_feedback(sign()),
}
COLLECTIVE = re.compile(
    r"= (?P<what>.*?) (?P<how>all-reduce|all-gather|all-to-all|collective-permute|"
    r"reduce-scatter|ragged-all-to-all)(-start)?\("
)


def regression(params, inputs, labels, weights, key):
    """1/2 sum_i weights_i (x_i^T theta - y_i)^2."""
    del key
    return 0.5 * jnp.dot(weights, jnp.square(inputs @ params - labels))


def federation(clients, link):
    return federated.Federation(
        federated.gradient(regression, batch=4),
        link,
        federated.Downlink(segmented(uniform(8), (D,)), lambda theta, g: g),
        optax.sgd(0.05),
        0.05,
        federated.everyone(clients),
        lambda theta: theta,
    )


def shards(clients):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(clients, 6, D)).astype(np.float32)
    labels = rng.integers(0, 3, (clients, 6)).astype(np.int32)
    return ClientData(inputs, labels, np.arange(clients, dtype=np.int32) % 6 + 1)


def compiled(clients, devices, link):
    """(a chunk of rounds on so many devices, what it is called with)."""
    fed, data = federation(clients, link), shards(clients)
    mesh = federated.client_mesh(clients, jax.devices()[:devices])
    assert mesh.size == devices
    state = federated.init(fed, jnp.zeros(D), clients)
    lies = federated.state_sharding(mesh, state)

    def chunk(state, root, data):
        step = functools.partial(federated.round_step, fed, root, data)
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(8), 8)[:2]

    args = (
        jax.device_put(state, lies),
        keys.seed_key(0),
        jax.device_put(data, federated.over_clients(mesh, data)),
    )
    program = jax.jit(chunk, out_shardings=(lies, None)).lower(*args).compile()
    return program, args


def collectives(program):
    found = COLLECTIVE.finditer(program.as_text())
    return sorted((match["how"], match["what"]) for match in found)


@pytest.mark.parametrize("name", LINKS)
def test_any_number_of_devices_gives_the_same_rounds(name):
    results = []
    for devices in (1, 2, 4, 8):
        program, args = compiled(8, devices, LINKS[name])
        results.append(jax.tree.map(np.asarray, program(*args)))
    for other in results[1:]:
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
            results[0],
            other,
        )


@pytest.mark.parametrize("name", LINKS)
def test_devices_exchange_one_sum_whatever_the_number_of_clients(name):
    few, _ = compiled(8, 8, LINKS[name])
    many, _ = compiled(64, 8, LINKS[name])
    found = collectives(few)
    assert found == collectives(many)
    assert {how for how, _ in found} == {"all-reduce"}
    assert sum(f"f32[{D}]" in what for _, what in found) == 1
    sizes = [int(n) for _, what in found for n in re.findall(r"\[(\d+)\]", what)]
    assert sizes == [D]  # the others are scalars


def test_memory_of_a_device_falls_with_their_number():
    def held(devices):
        program, _ = compiled(64, devices, LINKS["lazy 1-bit"])
        return program.memory_analysis().argument_size_in_bytes

    # All but the model, 10 movements and the key belongs to clients.
    everywhere = 4 * (D + 10 + 2)
    assert held(8) - everywhere == (held(1) - everywhere) // 8


def test_the_state_stays_where_it_lies():
    program, args = compiled(8, 4, LINKS["lazy 1-bit"])
    state, _ = program(*args)
    assert jax.tree.all(
        jax.tree.map(lambda a, b: a.sharding == b.sharding, state, args[0])
    )


@pytest.mark.parametrize(
    "clients, devices, used", [(10, 8, 5), (16, 8, 8), (7, 8, 7), (11, 8, 1), (3, 1, 1)]
)
def test_a_mesh_takes_as_many_devices_as_divide_the_clients(clients, devices, used):
    mesh = federated.client_mesh(clients, jax.devices()[:devices])
    assert mesh.size == used and mesh.axis_names == ("clients",)


def test_one_by_one_is_vmap():
    mesh = federated.client_mesh(6, jax.devices()[:3])
    x = jnp.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(federated.one_by_one(mesh, jnp.sum, x), x.sum(1))
