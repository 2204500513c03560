"""Devices by what clients do: heavy work on cores of its own, light rounds on one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerators import Device, mesh_of

from flq_jax.federated import LocalUpdate, suited, suited_mesh


@pytest.mark.parametrize(
    "work, shape, clients, devices, used",
    [
        ({"batch": 50, "steps": 1}, (10, 785), 100, 4, 1),  # 4e7
        ({"batch": 50, "steps": 1}, (200, 800), 100, 4, 4),  # 8e8
        ({"batch": 50, "steps": 1}, (3, 3, 1, 8), 100, 4, 4),  # windows
        ({"batch": 20, "epochs": 1}, (10, 785), 100, 4, 4),
        ({"batch": 20, "steps": 5}, (10, 785), 100, 4, 4),
        ({"steps": 1}, (200, 800), 100, 4, 1),  # large products, for all cores
        ({"batch": 20, "epochs": 1}, (10, 785), 7, 4, 4),  # 2 2 2 1
        ({"batch": 20, "epochs": 1}, (10, 785), 9, 8, 5),  # 2 2 2 2 1
        ({"batch": 20, "epochs": 1}, (10, 785), 3, 8, 3),
    ],
)
def test_heavy_work_has_cores_of_its_own(work, shape, clients, devices, used):
    params = jax.ShapeDtypeStruct(shape, np.float32)
    here = jax.devices()[:devices]
    mesh = suited_mesh(LocalUpdate(None, **work), params, clients, here)
    assert mesh.size == used and mesh.axis_names == ("clients",)


def group_of(work, shape, mesh, sizes=None):
    """How many of twelve clients compute together."""
    params, seen = jax.ShapeDtypeStruct(shape, np.float32), []

    def function(rows):
        seen.append(len(rows))
        return rows

    grouped = suited(LocalUpdate(None, **work), params, mesh, sizes)(function)
    assert grouped(jnp.arange(12)).tolist() == list(range(12))
    return min(seen)


@pytest.mark.parametrize(
    "work, shape, sizes",
    [
        ({"batch": 20, "epochs": 1}, (3, 3, 1, 8), None),  # one by one on a CPU
        ({"batch": 20, "epochs": 1}, (10, 785), [1000] + [1] * 11),
        ({"batch": 500, "steps": 1}, (10, 785), None),  # by twos
    ],
)
def test_an_accelerator_takes_as_many_clients_as_fit(work, shape, sizes):
    assert group_of(work, shape, None, sizes) < 12
    assert group_of(work, shape, mesh_of(Device(bytes_limit=10**10)), sizes) == 12
    assert group_of(work, shape, mesh_of(Device(bytes_limit=1)), sizes) == 1
