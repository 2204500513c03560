"""A caller's parts as a federation: what is left out is what it most often is."""

import inspect
from collections.abc import Sequence
from typing import Any

import jax
import optax
from jax.sharding import Mesh

from flq_jax import federated
from flq_jax.compressors import Compressor, direct
from flq_jax.federated import (
    Aggregate,
    Downlink,
    Federation,
    Grouping,
    LocalUpdate,
    Network,
)
from flq_jax.federated.network import require_clients
from flq_jax.federated.onebit_adam import OneBitAdam
from flq_jax.quantizers import Quantizer, identity


def federation_of(
    params: Any,
    client: LocalUpdate,
    server: optax.GradientTransformation,
    clients: int,
    mesh: Mesh,
    *,
    uplink: Compressor | Quantizer | None = None,
    downlink: Downlink | Compressor | Quantizer | None = None,
    network: Network | None = None,
    aggregate: Aggregate = federated.WEIGHTED_MEAN,
    step: float | jax.Array | None = None,
    grouping: Grouping | None = None,
    sizes: Sequence[int] | None = None,
    runs: int = 1,
) -> Federation:
    """The federation of these parts; ValueError if they don't fit.

    Args:
        params: the initial model, or its shapes.
        client, server, uplink, downlink, network, aggregate, step: see `Simulation`.
        clients: M.
        mesh: the devices that the clients are spread over.
        grouping: how many clients compute at the same time; None for `suited`.
        sizes, runs: as `suited` takes them.
    """
    uplink = uplink_of(identity() if uplink is None else uplink)
    network = federated.everyone(clients) if network is None else network
    require_kind("client", client, LocalUpdate)
    require_kind("server", server, optax.GradientTransformation)
    require_kind("network", network, Network)
    require_clients(network, clients)
    require_kind("aggregate", aggregate, Aggregate)
    # `federation` must see that it is one, and its rule has no tensors.
    tensors = server
    if not isinstance(server, OneBitAdam):
        tensors = federated.by_tensor(server, params)
    return federated.federation(
        params,
        client,
        uplink,
        tensors,
        network,
        step_size=_step(server, step, uplink, params),
        downlink=downlink_of(identity() if downlink is None else downlink),
        grouping=grouping or federated.suited(client, params, mesh, sizes, runs),
        aggregate=aggregate,
    )


def uplink_of(part: Compressor | Quantizer) -> Compressor:
    """The compressor itself, or `direct` of a quantizer; ValueError otherwise."""
    part = direct(part) if isinstance(part, Quantizer) else part
    require_kind("uplink", part, Compressor)
    return part


def downlink_of(part: Downlink | Compressor | Quantizer) -> Downlink:
    """The downlink itself, or `compressed` of what makes one; ValueError otherwise."""
    part = direct(part) if isinstance(part, Quantizer) else part
    part = federated.compressed(part) if isinstance(part, Compressor) else part
    require_kind("downlink", part, Downlink)
    return part


def require_kind(name: str, part: Any, kind: type, where: str = "federation") -> None:
    """Raises ValueError unless the part is of that kind."""
    if isinstance(part, kind):
        return
    ours = inspect.isfunction(part) and part.__module__.startswith("flq_jax.")
    hint = f" {part.__name__}: call it" if ours else ""
    raise ValueError(
        f"{where}: {name} must be of type {kind.__name__}, got "
        f"{type(part).__name__}{hint}"
    )


def _step(
    server: optax.GradientTransformation,
    step: float | jax.Array | None,
    uplink: Compressor,
    params: Any,
) -> float | jax.Array:
    """What movements are measured in: the server's step on the mean update."""
    if step is not None or not uplink.history:
        return 1.0 if step is None else step
    found = federated.step_along(server, params)
    if found is None:
        raise ValueError(
            "federation: a lazy uplink compares with the model's movements in the server's "
            "step, and this optimizer has no one step for all gradients; give step=, such "
            "as its learning rate"
        )
    return found
