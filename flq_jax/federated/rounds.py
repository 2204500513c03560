"""One round of federated learning: state in, state and metrics out."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from flq_jax.compressors import Broadcast
from flq_jax.compressors.base import silence
from flq_jax.data.clients import ClientData
from flq_jax.federated.clock import waited
from flq_jax.federated.downlink import downlink_state, heard, stepped_from
from flq_jax.federated.network import require_clients
from flq_jax.federated.rows import among_all, per_client, put, select, take
from flq_jax.federated.state import Federation, Metrics, State, Uplink
from flq_jax.keys import RoundKeys, round_keys
from flq_jax.quantizers import Message
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
    theta, _ = ravel_pytree(params)
    client, server = federation.compressor.init(theta.size)

    def each(leaf):
        return jnp.broadcast_to(leaf, (clients, *jnp.shape(leaf)))

    return State(
        params=theta,
        opt_state=federation.server_optimizer.init(theta),
        client_memory=jax.tree.map(each, client),
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
    data: ClientData,
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
    compressor = federation.compressor
    model = heard(
        federation.downlink, keys.downlink, state.params, state.downlink, round_index
    )
    params = federation.unravel(model.model)
    broadcast = Broadcast(round_index, state.movements)
    clients = data.sizes.shape[0]
    plan = federation.network.plan(keys.participation, state.network, round_index)
    who = plan.who

    def client(index, shard, memory, local, choice):
        key_local = jax.random.fold_in(keys.local, index)
        key_uplink = jax.random.fold_in(keys.uplink, index)
        loss, update, new_local = federation.local_update.update(
            key_local, params, shard, local
        )
        x, _ = ravel_pytree(update)
        told = broadcast._replace(choice=choice)
        message, new_memory = compressor.encode(key_uplink, x, memory, told)
        finite = sendable(loss, x, message)
        overload = compressor.overload(x, memory, told)
        moves = x
        if compressor.estimate is not None:
            moves = compressor.estimate(new_memory) - compressor.estimate(memory)
        news = jnp.vdot(moves, moves)
        return loss, finite, overload, news, message, new_memory, new_local

    shards, memory, local = take(
        (data, state.client_memory, state.local_memory), who, clients
    )
    loss, finite, overload, news, messages, new_memory, new_local = federation.grouping(
        jax.vmap(client)
    )(who, shards, memory, local, plan.choice)
    active = plan.listens & finite & (shards.sizes > 0)
    sent = jnp.where(active, messages.num_bits, 0)
    outcome = federation.network.settle(keys.channel, state.network, plan, sent, news)
    arrived = active & outcome.arrived
    # Who had nothing to say knows it, and so does the server.
    memory = jax.vmap(select)(arrived | (active & (sent == 0)), new_memory, memory)
    local = jax.vmap(select)(arrived & (sent > 0), new_local, local)
    weights = jnp.where(active, shards.sizes, 0).astype(jnp.float32)
    return Uplink(
        who=who,
        messages=messages,
        arrived=arrived,
        num_bits=sent,
        client_memory=put(state.client_memory, who, memory, clients),
        local_memory=put(state.local_memory, who, local, clients),
        network=outcome.state,
        downlink=model.state,
        loss=jnp.sum(jnp.where(active, weights * loss, 0.0)) / jnp.sum(weights),
        diverged=jnp.sum(plan.listens & ~finite),
        overloads=jnp.sum(overload & active),
        downlink_bits=model.message.num_bits,
        listeners=jnp.sum(plan.listens),
        seconds=outcome.seconds,
        joules=jnp.sum(outcome.joules),
    )


def sendable(loss: jax.Array, x: jax.Array, message: Message) -> jax.Array:
    """Whether a client's loss f[], ||x||^2 and side information are finite, bool[].

    What is encoded may be larger than the update x: it has the memory in it.
    """
    finite = jnp.isfinite(loss) & jnp.isfinite(jnp.vdot(x, x))
    return finite & jnp.all(jnp.isfinite(message.side))


def serve(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: ClientData,
    round_index: jax.Array,
    sent: Uplink,
) -> State:
    """Decodes what arrived, and moves the model against what it comes to.

    That is `federation.aggregate`, a weighted mean unless it says otherwise. Clients
    count by their examples, n_m / sum n (McMahan et al. 2017). A silent one counts with
    the server's last estimate of it, or for nothing where the compressor keeps none; if
    then nobody is left, the model stays, and of the optimizer's state all but what
    follows the rounds.
    """
    compressor, clients = federation.compressor, data.sizes.shape[0]
    who = sent.who
    others_count = compressor.estimate is not None and who.shape[0] < clients
    sizes = data.sizes.astype(jnp.float32)
    weights = take(sizes, who, clients)
    if compressor.estimate is None:
        weights = jnp.where(sent.heard.num_bits > 0, weights, 0.0)
    total = jnp.sum(sizes if others_count else weights)
    broadcast = Broadcast(round_index, state.movements)

    def group(who, messages, arrived, memory, shares):
        # Silenced here, in the cache: all clients' messages at once are a pass of memory.
        messages = jax.vmap(silence)(messages, arrived)
        estimates, memory = jax.vmap(compressor.decode, in_axes=(0, 0, 0, None))(
            per_client(keys.uplink, who), messages, memory, broadcast
        )
        return (shares @ federation.aggregate.share(estimates))[None], memory

    def silent_group(who, memory, shares):
        nothing = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), sent.messages)
        estimates, _ = jax.vmap(compressor.decode, in_axes=(0, None, 0, None))(
            per_client(keys.uplink, who), nothing, memory, broadcast
        )
        return (shares @ federation.aggregate.share(estimates))[None]

    parts, memory = federation.grouping(group)(
        who,
        sent.messages,
        sent.arrived,
        take(state.server_memory, who, clients),
        weights / jnp.maximum(total, 1.0),
    )
    memory = put(state.server_memory, who, memory, clients)
    if others_count:  # what silence decodes to, of the speakers as of the others
        shares = sizes / jnp.maximum(total, 1.0)
        parts = federation.grouping(silent_group)(jnp.arange(clients), memory, shares)
    mean = federation.aggregate.verdict(jnp.ones(len(parts)) @ parts)
    optimizer = optax.with_extra_args_support(federation.server_optimizer)
    theta = stepped_from(federation.downlink, state.params, sent.downlink)
    updates, opt_state = optimizer.update(
        federation.downlink.pullback(theta, mean),
        state.opt_state,
        theta,
        round_index=round_index,
    )
    # pyrefly: ignore[bad-argument-type] of one vector
    moved = jnp.sum(jnp.square(updates)) / federation.step_size**2
    params, opt_state, movement = select(
        total > 0.0,
        (optax.apply_updates(theta, updates), opt_state, moved),
        (state.params, waited(state.opt_state, opt_state), jnp.zeros_like(moved)),
    )
    return State(
        params=params,
        opt_state=opt_state,
        client_memory=sent.client_memory,
        local_memory=sent.local_memory,
        server_memory=memory,
        movements=jnp.concatenate([movement[None], state.movements])[:-1],
        network=sent.network,
        downlink=sent.downlink,
    )


def round_step(
    federation: Federation,
    root: jax.Array,
    data: ClientData,
    state: State,
    round_index: jax.Array,
) -> tuple[State, Metrics]:
    """One round: broadcast, local work, uplink, server.

    Where the state is donated, a round takes, beside it and the examples, a few f32[d]
    for each client that the network asks, and numbers for each of the others: 10,000
    clients of softmax regression, 100 a round, peak about 200 MB above their state of 0
    (SGD), 314 (error feedback) or 628 MB (lazy innovations)
    (`python -m benchmarks.client_memory`).

    Args:
        federation: what the run is made of.
        root: the run's key, see `seed_key`.
        data: the clients' examples, leading axis [m].
        state: before the round.
        round_index: k, i32[], counted from 0.
    """
    keys = round_keys(root, round_index)
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
