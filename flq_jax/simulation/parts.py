"""A caller's parts as a federation: what is left out is what it most often is."""

from typing import Any

import optax
from jax.sharding import Mesh

from flq_jax import federated
from flq_jax.compressors import Compressor, direct
from flq_jax.federated import Aggregate, Downlink, Federation, LocalUpdate, Network
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
    uplink: Compressor | None,
    downlink: Downlink | None,
    network: Network | None,
    aggregate: Aggregate,
    step: float | None,
) -> Federation:
    """The federation of these parts, see `Simulation`; ValueError if they don't fit."""
    uplink = direct(identity()) if uplink is None else uplink
    network = federated.everyone(clients) if network is None else network
    require_kind("uplink", uplink, Compressor)
    if downlink is not None:
        require_kind("downlink", downlink, Downlink)
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
        downlink=downlink,
        grouping=federated.suited(client, params, mesh),
        aggregate=aggregate,
    )


def require_kind(name: str, part: Any, kind: type) -> None:
    """Raises ValueError unless the part is of that kind."""
    if isinstance(part, kind):
        return
    hint = ""
    if kind is Compressor and isinstance(part, Quantizer):
        hint = "; direct(...) makes one of a quantizer"
    if kind is Downlink and isinstance(part, Compressor):
        hint = "; compressed(...) makes one of a compressor"
    raise ValueError(
        f"Simulation: {name} must be of type {kind.__name__}, got {type(part).__name__}{hint}"
    )


def _step(
    server: optax.GradientTransformation,
    step: float | None,
    uplink: Compressor,
    params: Any,
) -> float:
    """What movements are measured in: the server's step on the mean update."""
    if step is not None or not uplink.history:
        return 1.0 if step is None else step
    found = federated.step_along(server, params)
    if found is None:
        raise ValueError(
            "Simulation: a lazy uplink compares with the model's movements in the server's "
            "step, and this optimizer has no one step for all gradients; give step=, such "
            "as its learning rate"
        )
    return found
