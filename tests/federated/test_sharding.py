"""Clients on several devices: the same rounds, and one sum between the devices."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiled import collectives
from jax.experimental import topologies
from jax.sharding import NamedSharding, PartitionSpec
from more import more

from flq_jax import federated, keys
from flq_jax.compressors import error_feedback, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import sign

D = 24
LINKS = {
    "lazy 1-bit": lazy(innovation(sign()), error_weight=0.0),
    "error feedback": error_feedback(sign()),
}


def regression(params, inputs, labels, weights, key):
    """1/2 sum_i weights_i (x_i^T theta - y_i)^2."""
    del key
    return 0.5 * jnp.dot(weights, jnp.square(inputs @ params - labels))


def federation(clients, link, grouping=federated.together):
    return federated.federation(
        np.zeros(D, np.float32),
        federated.gradient(regression, batch=4),
        link,
        optax.sgd(0.05),
        federated.everyone(clients),
        step_size=0.05,
        downlink=federated.uniform_downlink(8, (D,)),
        grouping=grouping,
    )


def shards(clients):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(clients, 6, D)).astype(np.float32)
    labels = rng.integers(0, 3, (clients, 6)).astype(np.int32)
    return ClientData(inputs, labels, np.arange(clients, dtype=np.int32) % 6 + 1)


@functools.cache
def first_state(clients, name):
    """A state before the first round, in numpy: it lies on no device yet."""
    fed = federation(clients, LINKS[name])
    init = jax.jit(lambda: federated.init(fed, jnp.zeros(D), clients))
    return jax.tree.map(np.asarray, init())


@functools.cache
def compiled(clients, devices, name, size=None):
    """(a chunk of rounds on so many devices, what it is called with)."""
    mesh = federated.client_mesh(clients, jax.devices()[:devices])
    assert mesh.size == devices
    grouping = federated.in_groups(size, mesh) if size else federated.together
    fed, data = federation(clients, LINKS[name], grouping), shards(clients)
    state = first_state(clients, name)
    args = (
        jax.device_put(state, federated.state_sharding(mesh, state)),
        keys.seed_key(0),
        jax.device_put(data, federated.over_clients(mesh, data)),
    )
    return program(fed, mesh, args), args


def program(fed, mesh, args):
    """A chunk of rounds, compiled for the devices of a mesh."""

    def chunk(state, root, data):
        step = functools.partial(federated.round_step, fed, root, data)
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(8), 8)[:2]

    lies = federated.state_sharding(mesh, args[0])
    return jax.jit(chunk, out_shardings=(lies, None)).lower(*args).compile()


def assert_one_sum(program):
    """All that is exchanged is one sum of D numbers, and scalars."""
    found = collectives(program)
    assert {how for how, _ in found} == {"all-reduce"}
    assert sum(f"f32[{D}]" in what for _, what in found) == 1
    sizes = [int(n) for _, what in found for n in re.findall(r"\[(\d+)\]", what)]
    assert [n for n in sizes if n > 1] == [D]


def test_what_clients_remember_lies_where_they_are():
    mesh = federated.client_mesh(8, jax.devices()[:4])
    state = first_state(8, "error feedback")._replace(local_memory=np.zeros((8, D)))
    placed = jax.device_put(state, federated.state_sharding(mesh, state))
    for memory in jax.tree.leaves((placed.client_memory, placed.local_memory)):
        assert {part.data.shape[0] for part in memory.addressable_shards} == {2}
    assert placed.params.sharding.is_fully_replicated


def test_clients_that_cannot_be_shared_out_lie_everywhere():
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("clients",))
    lies = federated.over_clients(mesh, {"odd": np.zeros((7, D)), "even": np.zeros(6)})
    assert lies["odd"].is_fully_replicated and not lies["even"].is_fully_replicated
    assert list(federated.local_clients(mesh, 7)) == list(range(7))


@pytest.mark.parametrize("name", ["lazy 1-bit", more("error feedback")])
def test_any_number_of_devices_gives_the_same_rounds(name):
    results = []
    for devices in (1, 2, 4, 8):
        program, args = compiled(8, devices, name)
        results.append(jax.tree.map(np.asarray, program(*args)))
    for other in results[1:]:
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
            results[0],
            other,
        )


@pytest.mark.parametrize("name", LINKS)
def test_devices_exchange_one_sum_whatever_the_number_of_clients(name):
    few, _ = compiled(8, 8, name)
    many, _ = compiled(64, 8, name)
    assert collectives(few) == collectives(many)
    assert_one_sum(few)


@pytest.fixture(scope="module")
def pod():
    """The eight chips of a TPU slice, which need not be there to compile for."""
    return topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x4").devices


@pytest.mark.aot
@pytest.mark.parametrize("clients", [8, 64])
def test_a_tpu_slice_exchanges_one_sum_a_round(clients, pod):
    mesh = federated.client_mesh(clients, pod)
    fed = federation(clients, LINKS["lazy 1-bit"])
    shapes = jax.eval_shape(
        lambda: (
            federated.init(fed, jnp.zeros(D), clients),
            keys.seed_key(0),
            jax.tree.map(jnp.asarray, shards(clients)),
        )
    )
    state, root, data = shapes
    everywhere = NamedSharding(mesh, PartitionSpec())
    lies = (
        federated.state_sharding(mesh, state),
        everywhere,
        federated.over_clients(mesh, data),
    )
    args = jax.tree.map(
        lambda leaf, lie: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=lie),
        shapes,
        lies,
    )
    assert mesh.size == 8 and root.shape == ()
    assert_one_sum(program(fed, mesh, args))


def test_memory_of_a_device_falls_with_their_number():
    def held(devices):
        program, _ = compiled(8, devices, "lazy 1-bit")
        return program.memory_analysis().argument_size_in_bytes

    # All but the model, the downlink's origin, 10 movements and the key is of clients.
    everywhere = 4 * (D + D + 10 + 2)
    assert held(8) - everywhere == (held(1) - everywhere) // 8


def test_the_state_stays_where_it_lies():
    program, args = compiled(8, 4, "lazy 1-bit")
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


@pytest.mark.parametrize("name", ["lazy 1-bit", more("error feedback")])
def test_groups_exchange_no_more(name):
    program, _ = compiled(16, 8, name, size=1)
    assert_one_sum(program)
