"""The clients of one simulation spread over several devices."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

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


def local_clients(mesh: Mesh, clients: int) -> range:
    """Those of the `clients` that lie on this process's devices.

    ValueError if it has none: each process must have a part in the simulation.
    """
    here = [
        i for i, d in enumerate(mesh.devices) if d.process_index == jax.process_index()
    ]
    if not here:
        raise ValueError(
            f"local_clients: the {clients} clients lie on {mesh.size} devices, none of "
            f"them of process {jax.process_index()} of {jax.process_count()}: their "
            "number must be a multiple of the number of devices"
        )
    each = clients // mesh.size
    return range(here[0] * each, (here[-1] + 1) * each)


def from_local(mesh: Mesh, tree: Any) -> Any:
    """Arrays [m] of all clients from the rows of this process's clients.

    Args:
        mesh: over which the clients are spread.
        tree: the rows of `local_clients`, in numpy.
    """
    lies = NamedSharding(mesh, PartitionSpec(AXIS))
    return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(lies, rows), tree
    )


def over_clients(mesh: Mesh, tree: Any) -> Any:
    """Shardings for leaves with the leading axis [m]: each device has its clients'."""
    return jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec(AXIS)), tree)


def state_sharding(mesh: Mesh, state: Any) -> Any:
    """Shardings for a `State`: what belongs to a client lies with it.

    The model, its optimizer's state and the movements are on every device. Then a round
    moves one sum of d numbers between devices, and a few scalars, however many clients
    there are: see `round_step`, whose only sums over clients are those of the weighted
    mean and of the metrics.
    """
    everywhere = jax.tree.map(lambda _: NamedSharding(mesh, PartitionSpec()), state)
    return everywhere._replace(
        client_memory=over_clients(mesh, state.client_memory),
        local_memory=over_clients(mesh, state.local_memory),
        server_memory=over_clients(mesh, state.server_memory),
    )


Grouping = Callable[[Callable], Callable]


def together(function: Callable) -> Callable:
    """All clients are one group: the function itself, see `in_groups`."""
    return function


def in_groups(size: int, mesh: Mesh | None = None) -> Grouping:
    """Takes a few clients at a time: the same rows in less memory.

    It is faster, too, where a group's examples and updates stay in the cache from the
    operation that writes them to the one that reads them.

    Args:
        size: clients of one device at a time, rounded down to a divisor of their
            number; 1 or more, ValueError otherwise.
        mesh: over which the clients are spread; None for one device.

    Returns:
        function -> grouped. The function takes a group's rows, leading axis [g], and
        gives rows: g of them (a `jax.vmap`) or one (a sum over the group). `grouped`
        takes the rows of all clients, and joins what the groups give.
    """
    if size < 1:
        raise ValueError(f"in_groups: size must be 1 or more, got {size=}")
    devices = 1 if mesh is None else mesh.size

    def grouping(function):
        def grouped(*rows):
            here, rest = divmod(jax.tree.leaves(rows)[0].shape[0], devices)
            if rest:  # some of the clients, as many as there may be
                return function(*rows)
            fits = max(n for n in range(1, min(size, here) + 1) if here % n == 0)
            if fits == here:
                return function(*rows)

            def split(leaf):
                return leaf.reshape(devices, here // fits, fits, *leaf.shape[1:])

            def joined(leaf):
                return leaf.reshape(math.prod(leaf.shape[:3]), *leaf.shape[3:])

            def one_device(groups):
                return jax.lax.map(lambda group: function(*group), groups)

            parts = jax.tree.map(split, rows)
            if devices == 1:  # a batched loop would copy its groups
                parts = jax.tree.map(lambda leaf: leaf[0], parts)
                results = jax.tree.map(lambda leaf: leaf[None], one_device(parts))
            else:
                results = jax.vmap(one_device)(parts)
            return jax.tree.map(joined, results)

        return grouped

    return grouping
