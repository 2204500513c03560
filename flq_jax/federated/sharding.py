"""The clients of one simulation spread over several devices."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from flq_jax.federated.rounds import State

AXIS = "clients"


def client_mesh(clients: int, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh with the one axis `clients`, whose devices hold equally many of them.

    It takes as many devices as divide the number of clients: 10 clients on 8 devices
    use 5.

    Args:
        clients: M, 1 or more.
        devices: to choose from, the first ones first; None for all there are.
    """
    devices = list(jax.devices() if devices is None else devices)
    count = max(n for n in range(1, len(devices) + 1) if clients % n == 0)
    return Mesh(devices[:count], (AXIS,), axis_types=(AxisType.Auto,))


def over_clients(mesh: Mesh, tree: Any) -> Any:
    """Shardings for leaves with the leading axis [m]: each device has its clients'."""
    return jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec(AXIS)), tree)


def state_sharding(mesh: Mesh, state: State) -> State:
    """Shardings for a state: what belongs to a client lies with it.

    The model, its optimizer's state and the movements are on every device. Then a round
    moves one sum of d numbers between devices, and a few scalars, however many clients
    there are: see `round_step`, whose only sums over clients are those of the weighted
    mean and of the metrics.
    """
    everywhere = jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec()), state)
    return everywhere._replace(
        client_memory=over_clients(mesh, state.client_memory),
        server_memory=over_clients(mesh, state.server_memory),
    )


def one_by_one(mesh: Mesh, function: Callable[[Any], Any], tree: Any) -> Any:
    """`function` of each client in turn, all devices at once: vmap in less memory.

    Args:
        mesh: over which the clients are spread.
        function: what one client holds -> any pytree.
        tree: what the clients hold, leading axis [m].

    Returns:
        The results, leading axis [m].
    """

    def split(leaf):
        return leaf.reshape(mesh.size, -1, *leaf.shape[1:])

    def joined(leaf):
        return leaf.reshape(-1, *leaf.shape[2:])

    each = jax.vmap(lambda part: jax.lax.map(function, part))(jax.tree.map(split, tree))
    return jax.tree.map(joined, each)
