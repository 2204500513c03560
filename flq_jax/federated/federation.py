"""What a run is made of, and whether its parts fit each other."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import jax
import optax
from jax.flatten_util import ravel_pytree

from flq_jax.compressors import Compressor
from flq_jax.federated.aggregation import WEIGHTED_MEAN, Aggregate
from flq_jax.federated.clock import follows_a_schedule
from flq_jax.federated.downlink import Downlink, exact
from flq_jax.federated.groups import Grouping, together
from flq_jax.federated.local import LocalUpdate
from flq_jax.federated.network import Network
from flq_jax.federated.onebit_adam import OneBitAdam, OneBitAdamState
from flq_jax.federated.state import Federation
from flq_jax.single import single


def federation(
    params: Any,
    local_update: LocalUpdate,
    compressor: Compressor,
    server_optimizer: optax.GradientTransformation,
    network: Network,
    *,
    step_size: float | jax.Array = 1.0,
    downlink: Downlink | None = None,
    grouping: Grouping = together,
    aggregate: Aggregate = WEIGHTED_MEAN,
) -> Federation:
    """A `Federation` whose parts fit each other; what each alone allows, they check.

    Args:
        params: the initial model, any pytree of f32, or its shapes.
        server_optimizer: of the model as a vector, f32[d].
        step_size: above 0 and finite; it may be a traced f32[], which nothing checks.
        downlink: None for `exact()`.
        local_update, compressor, network, grouping, aggregate: see `Federation`.

    Raises:
        ValueError: one of the rules below is broken; TypeError: a part is none.

    1. A downlink with memory needs a network in which everyone hears every broadcast:
       who was not there has missed a part of the model.
    2. A lazy link measures the model's movements in one step size: the server's may not
       follow a schedule.
    3. An uplink with several widths needs a network that chooses among them, unless it has
       them for a warm-up, and as many as that network chooses among; a downlink has one
       width, but for a warm-up; and a network that plans by the length of messages needs
       links without warm-up. One that doubles levels needs options that lengthen by a bit
       a coordinate.
    4. A client whose memory must add up with the server's, as SCAFFOLD's, needs a mean of
       what was sent in this round: no lazy link, no majority vote, and a link that
       remembers estimates only where everyone takes part.
    5. `onebit_adam` needs clients that all take part in every round, send averages with
       its beta, `momentum`, and as floats in its warm-up, `warm_up`.
    """
    kinds = {
        "local_update": (local_update, LocalUpdate),
        "compressor": (compressor, Compressor),
        "server_optimizer": (server_optimizer, optax.GradientTransformation),
        "network": (network, Network),
        "downlink": (exact() if downlink is None else downlink, Downlink),
        "aggregate": (aggregate, Aggregate),
    }
    for name, (part, kind) in kinds.items():
        if not isinstance(part, kind):
            raise TypeError(
                f"federation: {name} must be a {kind.__name__}, got a "
                f"{type(part).__name__}"
            )
    given = isinstance(step_size, jax.Array) or 0.0 < single(step_size) < math.inf
    if not given:
        raise ValueError(
            f"federation: step_size must be finite and above 0, got {step_size=}"
        )
    made = Federation(
        local_update=local_update,
        compressor=compressor,
        downlink=exact() if downlink is None else downlink,
        server_optimizer=local_update.server(server_optimizer),
        step_size=step_size,
        network=network,
        unravel=unraveling(jax.eval_shape(local_update.broadcast, params)),
        grouping=grouping,
        aggregate=aggregate,
    )
    _require_everyone(made)
    theta = jax.eval_shape(
        lambda tree: ravel_pytree(local_update.broadcast(tree))[0], params
    )
    _require_widths(made, theta.size)
    state = jax.eval_shape(made.server_optimizer.init, theta)
    if compressor.history and follows_a_schedule(state):
        raise ValueError(
            "federation: a lazy uplink measures movements in one step size, and takes no "
            "server optimizer whose step follows a schedule"
        )
    _require_sums(made)
    _require_momenta(made, state)
    return made


def unraveling(shapes: Any) -> Callable[[jax.Array], Any]:
    """f32[d] -> params of these shapes; the way back from `ravel_pytree`."""
    leaves, treedef = jax.tree.flatten(shapes)

    def unravel(theta):
        parts, start = [], 0
        for leaf in leaves:
            parts.append(theta[start : start + leaf.size].reshape(leaf.shape))
            start += leaf.size
        return treedef.unflatten(parts)

    return unravel


def _require_everyone(made: Federation) -> None:
    down = made.downlink.compressor
    if down.estimate is not None and not made.network.everyone:
        raise ValueError(
            "federation: a downlink that remembers, such as innovation(...), needs a "
            "network in which everyone hears every broadcast: who was not there has "
            "missed a part of the model"
        )


def _require_widths(made: Federation, d: int) -> None:
    """Messages of several lengths are chosen by the network, or by the round."""
    link, network = made.compressor, made.network
    down = made.downlink.compressor
    several = bool(link.layout(d).options)
    warm_up = max(link.warm_up, down.warm_up)
    if down.layout(d).options and not down.warm_up:
        raise ValueError(
            "federation: a downlink takes no choice of widths: a broadcast is one message "
            "to all, and no network chooses for it"
        )
    if several and not link.warm_up and not network.chooses:
        raise ValueError(
            "federation: an uplink with several widths needs a network that chooses among "
            "them, such as a cell"
        )
    found = len(link.layout(d).options)
    if network.options not in (0, found):
        raise ValueError(
            f"federation: the network chooses among {network.options} options, and the "
            f"uplink must be of as many, one_of((...)), got {found}"
        )
    widths = [option.code_bits // d for option in link.layout(d).options]
    if network.doubles and any(b - a != 1 for a, b in pairwise(widths)):
        raise ValueError(
            "federation: the network doubles the levels from option to option, and each of "
            f"the uplink's must be one bit a coordinate longer than the one before, got {widths}"
        )
    if warm_up and network.chooses:
        raise ValueError(
            "federation: a network that plans by the length of messages takes no "
            f"warm-up, of uplink or downlink, got warm_up={warm_up}"
        )


def _require_sums(made: Federation) -> None:
    """What memories that must add up with the server's ask for."""
    if made.local_update.settle is None:
        return
    link = made.compressor
    if link.silent or made.aggregate != WEIGHTED_MEAN:
        raise ValueError(
            "federation: clients whose memory must add up with the server's, as in "
            "scaffold and feddyn, need the mean of what they send in each round, got "
            + ("a link that may be silent" if link.silent else "another aggregate")
        )
    if link.estimate is not None and not made.network.everyone:
        raise ValueError(
            "federation: scaffold and feddyn with a link that remembers, such as "
            "innovation(...), need a network in which everyone takes part: the server "
            "would count the absent's last message once more"
        )


def _require_momenta(made: Federation, state: Any) -> None:
    """What 1-bit Adam asks of its clients, see `onebit_adam`."""
    kinds = jax.tree.leaves(state, is_leaf=lambda s: isinstance(s, OneBitAdamState))
    if not any(isinstance(kind, OneBitAdamState) for kind in kinds):
        return
    link, optimizer = made.compressor, made.server_optimizer
    if not made.network.everyone:
        raise ValueError(
            "federation: the server's onebit_adam needs a network of all clients in every "
            "round: the mean gradient is told from two averages of the same clients"
        )
    if not (link.beta and link.warm_up):
        raise ValueError(
            "federation: the server's onebit_adam needs an uplink of averages, as floats at "
            "first: momentum(..., beta) around a quantizer in warm_up(..., rounds)"
        )
    given = isinstance(optimizer, OneBitAdam)
    if given and (link.warm_up, link.beta) != (optimizer.warm_up, optimizer.b1):
        raise ValueError(
            f"federation: the server's onebit_adam with warm_up={optimizer.warm_up} b1="
            f"{optimizer.b1} needs an uplink with the same, got warm_up={link.warm_up} "
            f"beta={link.beta}"
        )
