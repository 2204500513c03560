"""What one client of a round hears, computes and says."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from flq_jax.compressors import Broadcast
from flq_jax.compressors.base import echo
from flq_jax.data.flat import Pool, Shards, joined
from flq_jax.federated.downlink import Heard, heard
from flq_jax.federated.mirrored import as_kept, whole
from flq_jax.federated.network import Plan
from flq_jax.federated.rows import put, select, take, turns
from flq_jax.federated.state import Federation, State, Uplink
from flq_jax.keys import RoundKeys
from flq_jax.precision import EXACT
from flq_jax.quantizers import Message


class Told(NamedTuple):
    """What all clients of a round are told.

    Attributes:
        params: the model as they hear it.
        broadcast: what comes with it.
        local: the key of their own work, of which each has its stream.
        uplink: the key of their messages, likewise.
    """

    params: Any
    broadcast: Broadcast
    local: jax.Array
    uplink: jax.Array


class Said(NamedTuple):
    """What comes of a client's work.

    Attributes:
        loss: f32[], see `LocalUpdate`.
        finite: whether it may be sent, bool[], see `sendable`.
        overload: whether the update lay outside the quantizer's range, bool[].
        news: f32[], see `Network.settle`.
        message: what the client would say.
        memory: what its end of the link remembers once that has arrived.
        local: what its own work remembers then.
    """

    loss: jax.Array
    finite: jax.Array
    overload: jax.Array
    news: jax.Array
    message: Message
    memory: Any
    local: Any


class Asked(NamedTuple):
    """A round before anybody has worked.

    Attributes:
        model: the broadcast.
        told: what all clients are told.
        plan: whom the network asks, s clients.
        pool: where their examples are; None where the rows hold them.
        rows: of theirs, leading axis [s]: number, examples, both memories, choice and
            turn; the arguments of `client`.
        clients: M, among whom it asks.
    """

    model: Heard
    told: Told
    plan: Plan
    pool: Pool | None
    rows: tuple[jax.Array, Shards, Any, Any, jax.Array, jax.Array]
    clients: int

    @property
    def memories(self) -> tuple[Any, Any]:
        """What the asked remember of their link and of their work, leading axis [s]."""
        return self.rows[2:4]


def asked(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: Shards,
    round_index: jax.Array,
) -> Asked:
    """Broadcasts the model to those whom the network asks."""
    model = heard(federation.downlink, keys, state.params, state.downlink, round_index)
    told = Told(
        federation.unravel(model.model),
        Broadcast(round_index, state.movements, shared=keys.shared),
        keys.local,
        keys.uplink,
    )
    plan = federation.network.plan(keys.participation, state.network, round_index)
    clients = data.sizes.shape[0]
    pool, shards = data.of(plan.who).apart()
    memory, server, local = take(
        (state.client_memory, state.server_memory, state.local_memory),
        *(plan.who, clients),
    )
    memory = whole(federation.compressor, memory, server)
    rows = plan.who, shards, memory, local, plan.choice, turns(plan.who)
    return Asked(model, told, plan, pool, rows, clients)


def speaking(
    listens: jax.Array, said: Said, sizes: jax.Array | np.ndarray
) -> jax.Array:
    """Who has something to say, bool[s]: it takes part, has examples and is finite."""
    return listens & said.finite & (sizes > 0)


def kept(
    said: Said, memories: tuple[Any, Any], active: jax.Array, arrived: jax.Array
) -> tuple[Any, Any]:
    """What the clients remember, of their link and of their work, leading axis [s].

    Args:
        said: with what they would remember.
        memories: what they remembered before.
        active: who is `speaking`, bool[s].
        arrived: whose message is there, bool[s].
    """
    memory, local = memories
    # Who had nothing to say knows it, and so does the server.
    silent = active & (said.message.num_bits == 0)
    heard_of = arrived & (said.message.num_bits > 0)
    memory = jax.vmap(select)(arrived | silent, said.memory, memory)
    return memory, jax.vmap(select)(heard_of, said.local, local)


def settled(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    begun: Asked,
    said: Said,
    memories: tuple[Any, Any],
) -> Uplink:
    """What becomes of what the asked would say, and of what they remember.

    Args:
        memories: of the link and of the work before the round, leading axis [s].
    """
    who, shards, *_ = begun.rows
    active = speaking(begun.plan.listens, said, shards.sizes)
    sent = jnp.where(active, said.message.num_bits, 0)
    outcome = federation.network.settle(
        keys.channel, state.network, begun.plan, sent, said.news
    )
    arrived = active & outcome.arrived
    memory, local = kept(said, memories, active, arrived)
    memory = as_kept(state.client_memory, memory)
    weights = jnp.where(active, shards.sizes, 0).astype(jnp.float32)
    lost = jnp.where(active, weights * said.loss, 0.0)
    loss = jnp.sum(lost) / jnp.sum(weights)
    network, hear = outcome.state, federation.network.hear
    return Uplink(
        who=who,
        messages=said.message,
        arrived=arrived,
        num_bits=sent,
        client_memory=put(state.client_memory, who, memory, begun.clients),
        local_memory=put(state.local_memory, who, local, begun.clients),
        network=network if hear is None else hear(network, loss),
        downlink=begun.model.state,
        loss=loss,
        diverged=jnp.sum(begun.plan.listens & ~said.finite),
        overloads=jnp.sum(said.overload & active),
        downlink_bits=begun.model.message.num_bits,
        listeners=jnp.sum(begun.plan.listens),
        seconds=outcome.seconds,
        joules=jnp.sum(outcome.joules),
    )


def client(
    federation: Federation,
    told: Told,
    pool: Pool | None,
    index: jax.Array,
    row: Shards,
    memory: Any,
    local: Any,
    choice: jax.Array,
    turn: jax.Array,
    plain: bool = False,
) -> Said:
    """One client's work and what it would say of it.

    Args:
        federation: what the run is made of.
        told: what all clients are told.
        pool: where their examples are.
        index, row, memory, local, choice, turn: of this one, see `Asked`.
        plain: whether the message's codes are to be the update itself, a pytree, which
            an exact link may leave as it is.
    """
    compressor, work = federation.compressor, federation.local_update
    loss, update, new_local = work.update(
        jax.random.fold_in(told.local, index), told.params, joined(pool, row), local
    )
    broadcast = told.broadcast._replace(choice=choice, turn=turn)
    if plain:
        size = sum(leaf.size for leaf in jax.tree.leaves(update))
        length = jnp.int32(compressor.layout(size).length)
        # pyrefly: ignore[bad-argument-type] codes as a pytree, which nobody packs
        message = Message(update, jnp.zeros(0), length)
        x, new_memory = update, memory
        overload = jnp.zeros((), bool)
        if work.settle is not None:
            new_local = work.settle(new_local, update)
    else:
        x, _ = ravel_pytree(update)
        key = jax.random.fold_in(told.uplink, index)
        message, new_memory = compressor.encode(key, x, memory, broadcast)
        overload = compressor.overload(x, memory, broadcast)
        if work.settle is not None:
            again = jax.random.clone(key)
            x_hat = echo(compressor, again, message, memory, new_memory, broadcast)
            new_local = work.settle(new_local, federation.unravel(x_hat))
    moves = x
    if compressor.estimate is not None:
        moves = compressor.estimate(new_memory) - compressor.estimate(memory)
    return Said(
        loss=loss,
        finite=sendable(loss, x, message),
        overload=overload,
        news=squared(moves),
        message=message,
        memory=new_memory,
        local=new_local,
    )


def squared(x: Any) -> jax.Array:
    """||x||^2, f32[], of a pytree of f32."""
    square = functools.partial(jnp.vdot, precision=EXACT)
    return sum((square(leaf, leaf) for leaf in jax.tree.leaves(x)), jnp.float32(0.0))


def sendable(loss: jax.Array, x: Any, message: Message) -> jax.Array:
    """Whether a client's loss f[], ||x||^2 and side information are finite, bool[].

    What is encoded may be larger than the update x: it has the memory in it.
    """
    finite = jnp.isfinite(loss) & jnp.isfinite(squared(x))
    return finite & jnp.all(jnp.isfinite(message.side))
