"""The clients of one simulation spread over several devices."""

from collections.abc import Sequence
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


def on_cpu(mesh: Mesh | None = None) -> bool:
    """Whether its devices are a CPU's; None: those that JAX runs on."""
    if mesh is None:
        return jax.default_backend() == "cpu"
    return mesh.devices.flat[0].platform == "cpu"


def local_clients(mesh: Mesh, clients: int) -> range:
    """Those of the `clients` that lie on this process's devices.

    Those that lie on all devices, see `over_clients`, are everybody's. ValueError if it
    has none: each process must have a part in the simulation.
    """
    if clients % mesh.size:
        return range(clients)
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


def from_local(mesh: Mesh, tree: Any, clients: int, everywhere: bool = False) -> Any:
    """Arrays [m] of all clients from the rows of this process's clients.

    Args:
        mesh: over which the clients are spread.
        tree: the rows of `local_clients`, in numpy.
        clients: M.
        everywhere: whether each device shall have all of them; in one process.
    """
    shared_out = not everywhere and clients % mesh.size == 0
    lies = NamedSharding(mesh, PartitionSpec(AXIS) if shared_out else PartitionSpec())
    return jax.tree.map(
        lambda rows: jax.make_array_from_process_local_data(lies, rows), tree
    )


def over_clients(mesh: Mesh, tree: Any) -> Any:
    """Shardings for leaves with the leading axis [m]: each device has its clients'.

    Where they cannot be shared out evenly every device has all of them.
    """

    def lies(leaf):
        even = leaf.shape[0] % mesh.size == 0
        return NamedSharding(mesh, PartitionSpec(AXIS) if even else PartitionSpec())

    return jax.tree.map(lies, tree)


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
