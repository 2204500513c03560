"""Uplink and server in one pass over the clients, where nothing stands between them."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from flq_jax.compressors.base import silence
from flq_jax.data.flat import Pool, Shards
from flq_jax.federated.mirrored import as_kept, whole
from flq_jax.federated.rows import put, select, take
from flq_jax.federated.serving import decoded, moved, weighed
from flq_jax.federated.state import Federation, State, Uplink
from flq_jax.federated.work import Said, Told, asked, client, kept, settled, speaking
from flq_jax.keys import RoundKeys
from flq_jax.precision import EXACT
from flq_jax.quantizers import Message


def takes_one_pass(federation: Federation) -> bool:
    """Whether a client's message can be decoded and counted as soon as it is there.

    So it is where all messages arrive, whatever the others say, and where the server has
    no estimate of clients whom nobody asked.
    """
    network, link = federation.network, federation.compressor
    return network.lossless and (link.estimate is None or network.everyone)


def stays_in_tensors(federation: Federation) -> bool:
    """Whether clients' updates need never be written as vectors f32[d]: of their weighted
    sum alone is one made."""
    return federation.compressor.exact and federation.aggregate.linear


def one_pass(
    federation: Federation,
    keys: RoundKeys,
    state: State,
    data: Shards,
    round_index: jax.Array,
) -> tuple[Uplink, State]:
    """`uplink` and `serve` of a federation that `takes_one_pass`: the same results.

    A group of clients is done with before the next one begins: what they compute, send
    and are understood to have said stays in the cache, and a sum is all that is kept.
    The sum is of shares among those who were asked; what is left of them when somebody
    has nothing to say grows to 1 in the end.

    Returns:
        (what was sent, without the messages themselves; the state after the round).
    """
    begun = asked(federation, keys, state, data, round_index)
    who, shards, memory, local, choice, turn = begun.rows
    # As in `weighed`: of whom there is an estimate counts with it, also while it is away.
    counts = begun.plan.listens | (federation.compressor.estimate is not None)
    counted = jnp.where(counts, shards.sizes, 0).astype(jnp.float32)
    most = jnp.sum(counted)
    shares = counted / jnp.maximum(most, 1.0)
    steps = None
    if federation.local_update.normaliser is not None:
        steps = federation.local_update.normaliser(shards.sizes)
        shares = shares / steps

    each = partial(heard_at_once, federation)
    grouped = federation.grouping(each, begun.told, begun.pool, sums=True)
    memory = as_kept(state.client_memory, memory)
    server = take(state.server_memory, who, data.sizes.shape[0])
    part, said, (memory, local, server) = grouped(
        (memory, local, server), begun.plan.listens, shares, who, shards, choice, turn
    )
    part, _ = ravel_pytree(part)
    said = said._replace(memory=memory, local=local)
    sent = settled(federation, keys, state, begun, said, (memory, local))
    weights, total = weighed(federation, data, sent)
    rest = most / jnp.maximum(total, 1.0)
    if steps is not None:  # see `aggregation.shares`
        rest *= jnp.vdot(weights / jnp.maximum(total, 1.0), steps, precision=EXACT)
    mean = federation.aggregate.verdict(part * rest)
    server = put(state.server_memory, who, server, data.sizes.shape[0])
    return sent, moved(federation, state, data, round_index, sent, server, mean, total)


def heard_at_once(
    federation: Federation,
    told: Told,
    pool: Pool | None,
    memories: tuple[Any, Any, Any],
    listens: jax.Array,
    shares: jax.Array,
    who: jax.Array,
    shards: Shards,
    choice: jax.Array,
    turn: jax.Array,
) -> tuple[jax.Array, Said, tuple[Any, Any, Any]]:
    """A group of clients works, speaks and is heard.

    Args:
        told: what all are told.
        pool: where their examples are.
        memories: what each remembers of its link and of its work, and the server of it,
            leading axis [g], see `State`.
        listens: who takes part, bool[g].
        shares: what each one's estimate counts, f32[g].
        who, shards, choice, turn: see `Asked.rows`.

    Returns:
        (its part of the sum, f32[d], or shaped as the params, see `stays_in_tensors`;
        what it said, with the messages' lengths alone; what is remembered then).
    """
    own, local, server = memories
    memory = whole(federation.compressor, own, server)
    plain = stays_in_tensors(federation)
    each = partial(client, federation, plain=plain)
    said = jax.vmap(each, (None, None, 0, 0, 0, 0, 0, 0))(
        told, pool, who, shards, memory, local, choice, turn
    )
    active = speaking(listens, said, shards.sizes)
    if federation.compressor.estimate is None:
        shares = jnp.where(active & (said.message.num_bits > 0), shares, 0.0)
    if plain:
        part = added(shares, said.message.codes, active)
    else:
        messages = jax.vmap(silence)(said.message, active)
        estimates, server = decoded(
            federation, told.uplink, told.broadcast, who, turn, messages, server
        )
        part = jnp.dot(shares, federation.aggregate.share(estimates), precision=EXACT)
    memory, local = kept(said, (memory, local), active, active)
    memory = as_kept(own, memory)
    # pyrefly: ignore[bad-argument-type] nothing else of it is kept
    length = Message((), (), said.message.num_bits)
    said = said._replace(message=length, memory=(), local=())
    return part, said, (memory, local, server)


def added(shares: jax.Array, rows: Any, active: jax.Array) -> Any:
    """sum_m shares_m rows_m, of pytrees with the leading axis [g].

    Rows of others than the active, bool[g], may be anything, infinite ones too. It is
    seldom that there are any: blanking them is a pass over all rows, made for them alone.
    """

    def weighted(rows):
        return jax.tree.map(
            lambda x: jnp.tensordot(shares, x, 1, precision=EXACT), rows
        )

    def blanked(rows):
        return weighted(
            jax.vmap(select)(active, rows, jax.tree.map(jnp.zeros_like, rows))
        )

    return lax.cond(jnp.all(active), weighted, blanked, rows)
