"""One round of federated learning: state in, state and metrics out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from flq_jax.compressors import Broadcast, Compressor
from flq_jax.compressors.base import silence
from flq_jax.data.clients import ClientData
from flq_jax.federated.downlink import Downlink, DownlinkState, downlink_state, heard
from flq_jax.federated.local import LocalUpdate
from flq_jax.federated.network import Network
from flq_jax.federated.rows import among_all, per_client, put, select, take
from flq_jax.keys import RoundKeys, round_keys
from flq_jax.quantizers import Message


class Federation(NamedTuple):
    """What a run is made of; nothing in it changes from round to round.

    Attributes:
        local_update: what a client computes, see `gradient` and `local_epochs`.
        compressor: the uplink.
        downlink: how the model reaches the clients.
        server_optimizer: applied to the weighted mean of the clients' updates.
        step_size: the server's step on that mean; it scales the movements which lazy
            clients compare with (alpha M where the server steps by alpha along a sum).
        network: who takes part in a round, and whose message arrives.
        unravel: f32[d] -> the params that `local_update` takes.
        each: how the clients' work is mapped over them: `jax.vmap`, or `in_groups`.
    """

    local_update: LocalUpdate
    compressor: Compressor
    downlink: Downlink
    server_optimizer: optax.GradientTransformation
    step_size: float
    network: Network
    unravel: Callable[[jax.Array], Any]
    each: Callable[[Callable], Callable] = jax.vmap


class State(NamedTuple):
    """All that a round hands to the next; exactly what a checkpoint holds.

    Attributes:
        params: the server's model theta, f32[d].
        opt_state: the server optimizer's.
        client_memory: what each client remembers, leading axis [m].
        server_memory: what the server remembers of each client, leading axis [m].
        movements: f32[h], see `Broadcast`.
        network: what the network remembers.
        downlink: what both ends of the downlink remember.
    """

    params: jax.Array
    opt_state: optax.OptState
    client_memory: Any
    server_memory: Any
    movements: jax.Array
    network: Any
    downlink: DownlinkState


class Uplink(NamedTuple):
    """What the clients of a round send, and what they keep.

    Attributes:
        who: the clients that the network asked, i32[s].
        messages: those that arrived, leading axis [s]; silence for the others.
        num_bits: length of what each of them sent, lost or not, i32[s].
        client_memory: of all clients, leading axis [m].
        network: what the network remembers.
        downlink: what both ends of the downlink remember.
        loss: mean local loss of those whose update was finite, at the model that they
            heard, f32[]; NaN if there is none.
        diverged: clients whose update was not finite, i32[].
        overloads: clients whose update lay outside the quantizer's range, i32[].
        downlink_bits: length of the broadcast, i32[].
        listeners: clients that heard it, i32[].
        seconds: see `Outcome`.
        joules: of all clients together, f32[].
    """

    who: jax.Array
    messages: Message
    num_bits: jax.Array
    client_memory: Any
    network: Any
    downlink: DownlinkState
    loss: jax.Array
    diverged: jax.Array
    overloads: jax.Array
    downlink_bits: jax.Array
    listeners: jax.Array
    seconds: jax.Array
    joules: jax.Array


class Metrics(NamedTuple):
    """One round's figures.

    Attributes:
        loss, diverged, overloads, downlink_bits, listeners, seconds, joules: see `Uplink`.
        uplink_bits: what each client sent, lost or not, i32[m]; 0 for the silent ones.
        lost: messages that were sent and did not arrive, i32[].
    """

    loss: jax.Array
    diverged: jax.Array
    overloads: jax.Array
    downlink_bits: jax.Array
    uplink_bits: jax.Array
    listeners: jax.Array
    lost: jax.Array
    seconds: jax.Array
    joules: jax.Array


def init(federation: Federation, params: Any, clients: int) -> State:
    """The state before the first round.

    Args:
        federation: what the run is made of.
        params: the initial model, any pytree of f32.
        clients: M.
    """
    theta, _ = ravel_pytree(params)
    client, server = federation.compressor.init(theta.size)

    def each(leaf):
        return jnp.broadcast_to(leaf, (clients, *jnp.shape(leaf)))

    return State(
        theta,
        federation.server_optimizer.init(theta),
        jax.tree.map(each, client),
        jax.tree.map(each, server),
        jnp.zeros(federation.compressor.history),
        # Each leaf in a buffer of its own: a state is donated whole.
        jax.tree.map(jnp.copy, federation.network.init()),
        downlink_state(federation.downlink, theta),
    )


def uplink(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: ClientData,
    round_index: jax.Array,
) -> Uplink:
    """Broadcasts the model, and lets each client work and speak.

    A client without examples, or whose update is not finite (a squared norm beyond f32
    counts as such), stays silent and remembers what it did before.

    Arrivals are acknowledged: a client whose message is lost remembers, too, what it did
    before, as though it had not spoken, so that both ends go on from the same memory.
    Its bits and joules are spent.
    """
    compressor = federation.compressor
    model = heard(federation.downlink, keys.downlink, state.params, state.downlink)
    params = federation.unravel(model.model)
    broadcast = Broadcast(round_index, state.movements)
    clients = data.sizes.shape[0]
    plan = federation.network.plan(keys.participation, state.network, round_index)
    who = plan.who

    def client(index, shard, memory, choice):
        key_local = jax.random.fold_in(keys.local, index)
        key_uplink = jax.random.fold_in(keys.uplink, index)
        loss, update = federation.local_update(key_local, params, shard)
        x, _ = ravel_pytree(update)
        told = broadcast._replace(choice=choice)
        finite = jnp.isfinite(loss) & jnp.isfinite(jnp.vdot(x, x))
        message, new_memory = compressor.encode(key_uplink, x, memory, told)
        overload = compressor.overload(x, memory, told)
        return loss, finite, overload, message, new_memory

    shards, memory = take((data, state.client_memory), who, clients)
    loss, finite, overload, messages, new_memory = federation.each(client)(
        who, shards, memory, plan.choice
    )
    active = plan.listens & finite & (shards.sizes > 0)
    sent = jnp.where(active, messages.num_bits, 0)
    outcome = federation.network.settle(keys.channel, state.network, plan, sent)
    arrived = active & outcome.arrived
    # Who had nothing to say knows it, and so does the server.
    memory = jax.vmap(select)(arrived | (active & (sent == 0)), new_memory, memory)
    weights = jnp.where(active, shards.sizes, 0).astype(jnp.float32)
    return Uplink(
        who,
        jax.vmap(silence)(messages, arrived),
        sent,
        put(state.client_memory, who, memory, clients),
        outcome.state,
        model.state,
        jnp.sum(jnp.where(active, weights * loss, 0.0)) / jnp.sum(weights),
        jnp.sum(plan.listens & ~finite),
        jnp.sum(overload & active),
        model.message.num_bits,
        jnp.sum(plan.listens),
        outcome.seconds,
        jnp.sum(outcome.joules),
    )


def serve(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: ClientData,
    round_index: jax.Array,
    sent: Uplink,
) -> State:
    """Decodes the messages, and moves the model against their weighted mean.

    Clients count by their examples, n_m / sum n (McMahan et al. 2017). A silent one
    counts with the server's last estimate of it, or for nothing where the compressor
    keeps none; if then nobody is left, the model stays.
    """
    compressor, clients = federation.compressor, data.sizes.shape[0]
    who, messages = sent.who, sent.messages
    if compressor.estimate is not None and who.shape[0] < clients:
        who, messages = jnp.arange(clients), among_all(messages, who, clients)
    memory = take(state.server_memory, who, clients)
    estimates, memory = jax.vmap(compressor.decode, in_axes=(0, 0, 0, None))(
        per_client(keys.uplink, who),
        messages,
        memory,
        Broadcast(round_index, state.movements),
    )
    weights = take(data.sizes, who, clients).astype(jnp.float32)
    if compressor.estimate is None:
        weights = jnp.where(messages.num_bits > 0, weights, 0.0)
    total = jnp.sum(weights)
    mean = (weights / jnp.maximum(total, 1.0)) @ estimates
    updates, opt_state = federation.server_optimizer.update(
        federation.downlink.pullback(state.params, mean), state.opt_state, state.params
    )
    moved = jnp.sum(jnp.square(updates)) / federation.step_size**2
    params, opt_state, movement = select(
        total > 0.0,
        (optax.apply_updates(state.params, updates), opt_state, moved),
        (state.params, state.opt_state, jnp.zeros_like(moved)),
    )
    return State(
        params,
        opt_state,
        sent.client_memory,
        put(state.server_memory, who, memory, clients),
        jnp.concatenate([movement[None], state.movements])[:-1],
        sent.network,
        sent.downlink,
    )


def round_step(
    federation: Federation,
    root: jax.Array,
    data: ClientData,
    state: State,
    round_index: jax.Array,
) -> tuple[State, Metrics]:
    """One round: broadcast, local work, uplink, server.

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
    return new, Metrics(
        sent.loss,
        sent.diverged,
        sent.overloads,
        sent.downlink_bits,
        among_all(sent.num_bits, sent.who, data.sizes.shape[0]),
        sent.listeners,
        jnp.sum((sent.num_bits > 0) & (sent.messages.num_bits == 0)),
        sent.seconds,
        sent.joules,
    )
