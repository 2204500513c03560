"""What the server does with what it hears."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from flq_jax.compressors import Broadcast
from flq_jax.compressors.base import silence
from flq_jax.data.flat import Shards
from flq_jax.federated import aggregation
from flq_jax.federated.clock import waited
from flq_jax.federated.downlink import require_length, stepped_from
from flq_jax.federated.rows import per_client, put, select, take, turns
from flq_jax.federated.state import Federation, State, Uplink
from flq_jax.keys import RoundKeys
from flq_jax.precision import EXACT
from flq_jax.quantizers import Message


def serve(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: Shards,
    round_index: jax.Array,
    sent: Uplink,
) -> State:
    """Decodes what arrived, and moves the model against what it comes to.

    That is `federation.aggregate`, a weighted mean unless it says otherwise. Clients
    count by their examples, n_m / sum n (McMahan et al. 2017). A silent one counts with
    the server's last estimate of it, or for nothing where the compressor keeps none; if
    then nobody is left, the model stays, and of the optimizer's state all but what
    follows the rounds. The optimizer is told the round and `heard`, the share of all
    examples whose clients count, as optax's extra arguments.
    """
    clients, who = data.sizes.shape[0], sent.who
    others_count = federation.compressor.estimate is not None and len(who) < clients
    weights, total = weighed(federation, data, sent)
    normaliser = federation.local_update.normaliser
    asked = take(data.sizes, who, clients)
    broadcast = Broadcast(round_index, state.movements, shared=keys.shared)

    def group(key, broadcast, who, turn, messages, arrived, memory, shares):
        # Silenced here, in the cache: all clients' messages at once are a pass of memory.
        messages = jax.vmap(silence)(messages, arrived)
        estimates, memory = decoded(
            federation, key, broadcast, who, turn, messages, memory
        )
        shared = federation.aggregate.share(estimates)
        return jnp.dot(shares, shared, precision=EXACT)[None], memory

    def silent_group(key, broadcast, who, memory, shares):
        nothing = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), sent.messages
        )
        estimates, _ = decoded(
            federation, key, broadcast, who, turns(who), nothing, memory, each=None
        )
        shared = federation.aggregate.share(estimates)
        return jnp.dot(shares, shared, precision=EXACT)[None]

    parts, memory = federation.grouping(group, keys.uplink, broadcast)(
        who,
        turns(who),
        sent.messages,
        sent.arrived,
        take(state.server_memory, who, clients),
        aggregation.shares(weights, total, normaliser, asked),
    )
    memory = put(state.server_memory, who, memory, clients)
    if others_count:  # what silence decodes to, of the speakers as of the others
        sizes = jnp.asarray(data.sizes, jnp.float32)
        shares = aggregation.shares(sizes, total, normaliser, data.sizes)
        parts = federation.grouping(silent_group, keys.uplink, broadcast)(
            jnp.arange(clients), memory, shares
        )
    mean = federation.aggregate.verdict(
        jnp.dot(jnp.ones(len(parts)), parts, precision=EXACT)
    )
    return moved(federation, state, data, round_index, sent, memory, mean, total)


def weighed(
    federation: Federation, data: Shards, sent: Uplink
) -> tuple[jax.Array, jax.Array]:
    """(what the asked count by, f32[s]; the sum over all who count, f32[]).

    They count by their examples; the silent ones for nothing, unless the server has an
    estimate of them, as it then has of those whom nobody asked.
    """
    sizes = data.sizes.astype(jnp.float32)
    weights = take(sizes, sent.who, data.sizes.shape[0])
    if federation.compressor.estimate is not None:
        return weights, jnp.sum(sizes)
    weights = jnp.where(sent.arrived & (sent.num_bits > 0), weights, 0.0)
    return weights, jnp.sum(weights)


def decoded(
    federation: Federation,
    key: jax.Array,
    broadcast: Broadcast,
    who: jax.Array,
    turn: jax.Array,
    messages: Message,
    memory: Any,
    each: int | None = 0,
) -> tuple[jax.Array, Any]:
    """(estimates f32[g, d], the server's memory) of these clients' messages.

    Args:
        key: the round's for messages, of which each client has its stream.
        broadcast: what all of them were told.
        turn: of each, i32[g]; that of who is silent does not matter.
        each: the axis of the messages that is the clients'; None: all say the same.
    """

    def decode(key, message, memory, turn):
        told = broadcast._replace(turn=turn)
        return federation.compressor.decode(key, message, memory, told)

    return jax.vmap(decode, (0, each, 0, 0))(
        per_client(key, who), messages, memory, turn
    )


def moved(
    federation: Federation,
    state: State,
    data: Shards,
    round_index: jax.Array,
    sent: Uplink,
    server_memory: Any,
    mean: jax.Array,
    total: jax.Array,
) -> State:
    """The state after the server's step against `mean`, f32[d].

    Args:
        total: the weight of all who count, f32[]; if it is 0 the model stays.
        server_memory: of all clients, as it is now.

    Raises:
        ValueError: the uplink decodes to another number of entries than the model has.
    """
    require_length("uplink", mean, state.params)
    optimizer = optax.with_extra_args_support(federation.server_optimizer)
    theta = stepped_from(federation.downlink, state.params, sent.downlink)
    updates, opt_state = optimizer.update(
        federation.downlink.pullback(theta, mean),
        state.opt_state,
        theta,
        round_index=round_index,
        heard=total / jnp.maximum(jnp.sum(data.sizes.astype(jnp.float32)), 1.0),
    )
    # pyrefly: ignore[bad-argument-type] of one vector
    movement = jnp.sum(jnp.square(updates)) / federation.step_size**2
    params, opt_state, movement = select(
        total > 0.0,
        (optax.apply_updates(theta, updates), opt_state, movement),
        (state.params, waited(state.opt_state, opt_state), jnp.zeros_like(movement)),
    )
    return State(
        params=params,
        opt_state=opt_state,
        client_memory=sent.client_memory,
        local_memory=sent.local_memory,
        server_memory=server_memory,
        movements=jnp.concatenate([movement[None], state.movements])[:-1],
        network=sent.network,
        downlink=sent.downlink,
    )
