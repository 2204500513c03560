"""How many clients compute at the same time, and on what, by what they do."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh

from flq_jax.data.flat import lies_flat
from flq_jax.federated.fitting import clients_at_once
from flq_jax.federated.groups import Grouping, in_groups, together
from flq_jax.federated.local import LocalUpdate
from flq_jax.federated.sharding import AXIS, client_mesh, on_cpu

# A group's minibatches, their windows, its models and updates are to stay in the cache.
EXAMPLES_AT_ONCE = 1000
FLOATS_AT_ONCE = 2_000_000
# A group's epochs last as long as its largest client's, and save less than this factor.
UNEVEN = 1.3
# Examples times parameters of a light round: devices that meet in it cost more than the
# second core brings.
LIGHT_ROUND = 200_000_000


def uneven(sizes: Sequence[int]) -> bool:
    """Whether one client has far more examples than the mean, for sizes i[m]."""
    return max(sizes) * len(sizes) > UNEVEN * sum(sizes)


def suited(
    local_update: LocalUpdate,
    params: Any,
    mesh: Mesh | None = None,
    sizes: Sequence[int] | None = None,
    runs: int = 1,
) -> Grouping:
    """The grouping under which clients that work so are fastest.

    On an accelerator that is all at once, or as many as its memory holds, see
    `clients_at_once`: each group launches as many kernels as all would. On a CPU its
    caches decide. Convolutions go client by client, for vmapped ones are grouped convolutions, see
    `convolve`; so do epochs of clients of which one has far more examples than the mean;
    minibatches in groups that leave a core's cache room; and full batches all together,
    for their examples pass through the cache whatever the groups, unless they lie flat:
    then each group's are copied.

    Args:
        local_update: what a client computes.
        params: the model, or its shapes; a tensor of four axes is a convolution's.
        mesh: over which the clients are spread; None for one device.
        sizes: examples of each client; None where all have as many.
        runs: so many federations an accelerator computes at the same time.
    """
    if not on_cpu(mesh):
        device = jax.devices()[0] if mesh is None else mesh.devices.flat[0]
        fit = clients_at_once(local_update, params, device, sizes, runs)
        return in_groups(fit, mesh)
    leaves = jax.tree.leaves(params)
    alone = local_update.epochs > 0 and sizes is not None and uneven(sizes)
    if _convolves(params) or alone:
        return in_groups(1, mesh)
    batch = local_update.batch
    if not batch:
        if sizes is None or not lies_flat(sizes, max(sizes)):
            return together
        batch = max(sizes)
    # A model of each client and its gradient go through every step of those.
    floats = sum(leaf.size for leaf in leaves) * (4 if local_update.own_model else 1)
    fit = min(EXAMPLES_AT_ONCE // batch, FLOATS_AT_ONCE // floats)
    return in_groups(max(1, fit), mesh)


def suited_mesh(
    local_update: LocalUpdate,
    params: Any,
    clients: int,
    devices: Sequence[jax.Device] | None = None,
) -> Mesh:
    """The devices on which clients that work so are fastest.

    Accelerators, and devices of several processes: as many as there may be, see
    `client_mesh`. A CPU whose cores are devices (`jax_num_cpu_devices`, before JAX
    starts) gives each a share of the clients where these have steps of their own,
    convolutions, or large gradients: XLA runs those on one core, or too small for two.
    A light round stays on one device, whose products all cores compute.

    Args:
        local_update: what a client computes.
        params: the model, or its shapes.
        clients: M.
        devices: to choose from; None for all there are.
    """
    devices = list(jax.devices() if devices is None else devices)
    if devices[0].platform != "cpu" or jax.process_count() > 1:
        return client_mesh(clients, devices)
    if _is_light(local_update, params, clients):
        devices = devices[:1]
    # No more than the busiest one needs.
    each = -(-clients // len(devices))
    used = -(-clients // each)
    return Mesh(devices[:used], (AXIS,), axis_types=(AxisType.Auto,))


def _is_light(local_update: LocalUpdate, params: Any, clients: int) -> bool:
    """Whether a round has little to do, or large products alone."""
    if _convolves(params) or local_update.own_model:
        return False
    floats = sum(leaf.size for leaf in jax.tree.leaves(params))
    return clients * local_update.batch * floats < LIGHT_ROUND


def _convolves(params: Any) -> bool:
    """Whether a tensor has four axes, as a convolution's."""
    return any(leaf.ndim == 4 for leaf in jax.tree.leaves(params))
