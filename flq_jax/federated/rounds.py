"""One round of federated learning: state in, state and metrics out."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from flq_jax.data.flat import Shards
from flq_jax.federated.downlink import downlink_state
from flq_jax.federated.mirrored import unmirrored
from flq_jax.federated.network import require_clients
from flq_jax.federated.one_pass import one_pass, takes_one_pass
from flq_jax.federated.rows import among_all
from flq_jax.federated.serving import serve
from flq_jax.federated.state import Federation, Metrics, State, Uplink
from flq_jax.federated.work import asked, client, settled
from flq_jax.keys import RoundKeys, round_keys
from flq_jax.quantizers.base import require_indices


def init(federation: Federation, params: Any, clients: int) -> State:
    """The state before the first round.

    Args:
        federation: what the run is made of.
        params: the initial model, any pytree of f32.
        clients: M.

    Raises:
        ValueError: the model is too large, see `require_indices`, or the network is
            another number of clients'.
    """
    sizes = [jnp.size(leaf) for leaf in jax.tree.leaves(params)]
    require_indices("init", "the model's parameters", sum(sizes))
    require_clients(federation.network, clients)
    params = federation.local_update.broadcast(params)
    theta, _ = ravel_pytree(params)
    client, server = federation.compressor.init(theta.size)

    def each(leaf):
        return jnp.broadcast_to(leaf, (clients, *jnp.shape(leaf)))

    return State(
        params=theta,
        opt_state=federation.server_optimizer.init(theta),
        client_memory=jax.tree.map(each, unmirrored(federation.compressor, client)),
        local_memory=jax.tree.map(each, federation.local_update.init(params)),
        server_memory=jax.tree.map(each, server),
        movements=jnp.zeros(federation.compressor.history),
        # Each leaf in a buffer of its own: a state is donated whole.
        network=jax.tree.map(jnp.copy, federation.network.init()),
        downlink=downlink_state(federation.downlink, theta),
    )


def uplink(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: Shards,
    round_index: jax.Array,
) -> Uplink:
    """Broadcasts the model, and lets each client work and speak.

    A client without examples, or whose update or side information is not finite (a
    squared norm beyond f32 counts as such), stays silent and remembers what it did
    before.

    Arrivals are acknowledged: a client whose message is lost remembers, too, what it did
    before, as though it had not spoken, so that both ends go on from the same memory.
    Its bits and joules are spent. What its own work remembers moves on with what the
    server hears: a client that was silent keeps that, too.
    """
    begun = asked(federation, keys, state, data, round_index)
    each = jax.vmap(partial(client, federation), (None, None, 0, 0, 0, 0, 0, 0))
    said = federation.grouping(each, begun.told, begun.pool)(*begun.rows)
    return settled(federation, keys, state, begun, said, begun.memories)


def round_step(
    federation: Federation,
    root: jax.Array,
    data: Shards,
    state: State,
    round_index: jax.Array,
) -> tuple[State, Metrics]:
    """One round: broadcast, local work, uplink, server.

    Where the state is donated, a round takes, beside it and the examples, a few f32[d]
    for each client that the network asks, and numbers for each of the others: 10,000
    clients of softmax regression, 100 a round, peak about 150 MB above their state of 0
    (SGD) or 314 MB (error feedback, lazy innovations)
    (`python -m benchmarks.client_memory`).

    Args:
        federation: what the run is made of.
        root: the run's key, see `seed_key`.
        data: the clients' examples.
        state: before the round.
        round_index: k, i32[], counted from 0.
    """
    keys = round_keys(root, round_index)
    if takes_one_pass(federation):
        sent, new = one_pass(federation, keys, state, data, round_index)
    else:
        sent = uplink(federation, keys, state, data, round_index)
        # The uplink. Below this line the server sees messages and nothing else.
        new = serve(federation, keys, state, data, round_index, sent)
    return new, metrics(sent, data.sizes.shape[0])


def metrics(sent: Uplink, clients: int) -> Metrics:
    """What a round reports, of the s that the network asked of M `clients`."""
    return Metrics(
        loss=sent.loss,
        diverged=sent.diverged,
        overloads=sent.overloads,
        downlink_bits=sent.downlink_bits,
        uplink_bits=among_all(sent.num_bits, sent.who, clients),
        listeners=sent.listeners,
        lost=jnp.sum((sent.num_bits > 0) & ~sent.arrived),
        seconds=sent.seconds,
        joules=sent.joules,
    )
