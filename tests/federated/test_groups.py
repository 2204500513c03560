"""Groups of clients, on one device or several: the rows and the sums of all of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from more import more

from flq_jax import federated, keys, models
from flq_jax.compressors import direct, error_feedback
from flq_jax.data.clients import ClientData
from flq_jax.federated.groups import group_size
from flq_jax.quantizers import identity, sign


def mesh_of(devices):
    return devices and jax.sharding.Mesh(jax.devices()[:devices], ("clients",))


@pytest.mark.parametrize("devices", [None, 1, 2, 4])
@pytest.mark.parametrize("size", [1, 3, 5, 100])
@pytest.mark.parametrize("count", [12, 7])
def test_groups_give_the_rows_of_vmap(count, size, devices):
    x, y = np.arange(2 * count, dtype=np.float32).reshape(count, 2), np.arange(count)

    def function(x, y):
        return x * y["y"], (jnp.sum(x), y, jnp.zeros(0))

    grouped = federated.in_groups(size, mesh_of(devices))(jax.vmap(function))
    found = jax.jit(grouped)(x, {"y": y})
    rows = x * y[:, None], (x.sum(axis=1), {"y": y}, np.zeros((count, 0)))
    jax.tree.map(np.testing.assert_array_equal, found, rows)


def test_groups_of_none_are_refused():
    with pytest.raises(
        ValueError, match="in_groups: size must be 1 or more, got size=0"
    ):
        federated.in_groups(0)


@pytest.mark.parametrize(
    "most, count, devices, size",
    [
        (5, 12, 1, 4),
        (100, 12, 4, 3),
        (100, 10, 4, 1),  # 3 for the busiest; by twos it would have 4
        (2, 12, 2, 2),
        (4, 7, 2, 1),
        (7, 7, 8, 1),
    ],
)
def test_a_group_keeps_no_device_waiting(most, count, devices, size):
    assert group_size(most, count, devices) == size


@pytest.mark.parametrize(
    "size, devices, groups",
    [(100, 1, 1), (3, 1, 4), (100, 4, 4), (2, 4, 12), (1, 4, 12)],
)
def test_a_sum_over_a_group_is_one_row(size, devices, groups):
    x = np.arange(24, dtype=np.float32).reshape(12, 2)
    grouped = federated.in_groups(size, mesh_of(devices))(lambda x: jnp.sum(x, 0)[None])
    sums = np.asarray(jax.jit(grouped)(x))
    assert len(sums) == groups
    np.testing.assert_array_equal(sums.sum(axis=0), x.sum(axis=0))


@pytest.mark.parametrize("devices", [None, 1, 2, 4])
@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("count", [12, 7])
def test_sums_are_over_all_groups_and_skipped_ones_count_for_nothing(
    count, size, devices
):
    x = np.arange(2 * count, dtype=np.float32).reshape(count, 2)

    def function(least, before, x):  # a row of padding would add 100
        added = {"sum": jnp.sum(jnp.where(x > least, x, 100.0), 0)}
        return added, 2 * x, {"renewed": before["renewed"] + x}

    grouping = federated.in_groups(size, mesh_of(devices))
    found = jax.jit(grouping(function, -1.0, sums=True))({"renewed": x + 1}, x)
    expected = {"sum": x.sum(axis=0)}, 2 * x, {"renewed": 2 * x + 1}
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_what_lies_on_all_devices_is_given_to_each():
    """Closed over, it would bring the whole mesh into the program of one device."""
    mesh = mesh_of(2)
    w = jax.device_put(jnp.ones(3), NamedSharding(mesh, PartitionSpec()))
    rows = jax.device_put(jnp.ones((4, 3)), NamedSharding(mesh, PartitionSpec()))

    @jax.jit
    def norms(w, rows):
        grouped = federated.in_groups(1, mesh)(lambda w, x: x @ (w + w.imag), w)
        return grouped(rows)

    np.testing.assert_array_equal(norms(w, rows), 3.0)


SIZES = np.array([6, 3, 0, 5, 6, 1, 4], np.int32)


def rounds(devices, link, model, count=2):
    """(the model after two rounds of local epochs on 3 of 7 clients, the program)."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (7, 6, 4, 4), dtype=np.uint8)
    data = ClientData(inputs, rng.integers(0, 3, (7, 6)).astype(np.int32), SIZES)
    mesh, loss = mesh_of(devices), models.classification_loss(model, l2=0.1)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 4, 4)))
    params = jax.tree.map(
        lambda leaf: jnp.asarray(0.2 * rng.standard_normal(leaf.shape), jnp.float32),
        shapes["params"],
    )
    work = federated.local_epochs(loss, optax.sgd(0.1), batch=2, epochs=1)
    fed = federated.federation(
        params,
        work,
        link,
        optax.sgd(1.0),
        federated.sampled(3, 7),
        grouping=federated.suited(work, params, mesh),
    )
    state = federated.init(fed, params, 7)
    state = jax.device_put(state, federated.state_sharding(mesh, state))
    data = jax.device_put(data, federated.over_clients(mesh, data))

    @jax.jit
    def chunk(state, root, data):
        step = functools.partial(federated.round_step, fed, root, data)
        return federated.run_rounds(step, state, jnp.int32(0), jnp.int32(count), count)

    program = chunk.lower(state, keys.seed_key(0), data).compile()
    found = program(state, keys.seed_key(0), data)
    return jax.tree.map(np.asarray, found), program.as_text()


@pytest.mark.parametrize("link", [more(direct(identity())), error_feedback(sign())])
def test_devices_that_divide_neither_clients_nor_participants_give_the_same_rounds(
    link,
):
    one, *others = [rounds(n, link, models.MLP((5,), 3))[0] for n in (1, 2, 4)]
    assert one[2] == 2 and np.all(np.isfinite(one[0].params))
    for other in others:
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6),
            one,
            other,
        )


def test_a_device_has_no_convolutions_but_those_of_one_client():
    model = models.CNN((32,), num_classes=3)
    found, text = rounds(2, direct(identity()), model, count=1)
    assert np.all(np.isfinite(found[0].params))
    assert "convolution" in text
    assert "feature_group_count" not in text and "batch_group_count" not in text
