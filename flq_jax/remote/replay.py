"""The simulation of what happened elsewhere: with the same clients silent, or anew.

Nothing of it goes through bytes, nodes or acknowledgements: `asked`, one `client` after
another, `settled` and `serve`, each a program of its own, on the whole `State`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.data.clients import ClientData
from flq_jax.federated.network import Network
from flq_jax.federated.serving import serve
from flq_jax.federated.state import Federation, State
from flq_jax.federated.work import asked, client, settled
from flq_jax.keys import round_keys
from flq_jax.remote.server import forgotten


class Happened(NamedTuple):
    """One round as it was elsewhere.

    Attributes:
        there: the clients whose reply counted.
        anew: those of them that began anew.
    """

    there: frozenset[int]
    anew: frozenset[int]


def replaying(
    federation: Federation, root: jax.Array, data: ClientData, first: State
) -> Callable[[State, int, Happened], State]:
    """(state, k, what happened in round k) -> the state after it.

    A client at a time: a node's processor adds up one client's numbers, and XLA may add
    those of several at once in another order, see `silenced`.

    Args:
        federation: what the run is made of.
        root: its key.
        data: the clients' examples, leading axis [m].
        first: the state before the first round.
    """
    one = jax.jit(partial(client, federation))

    @jax.jit
    def begin(root, state, data, k):
        begun = asked(federation, round_keys(root, k), state, data, k)
        return begun.told, begun.pool, begun.rows

    @jax.jit
    def end(root, state, data, k, there, said):
        keys = round_keys(root, k)
        begun = asked(federation, keys, state, data, k)
        listens = begun.plan.listens & there[begun.plan.who]
        begun = begun._replace(plan=begun.plan._replace(listens=listens))
        sent = settled(federation, keys, state, begun, said, begun.memories)
        return serve(federation, keys, state, data, k, sent)

    def step(state: State, k: int, happened: Happened) -> State:
        state = _without(federation, state, first, happened.anew)
        told, pool, rows = begin(root, state, data, np.int32(k))
        each = []
        for i in range(len(rows[0])):
            row = jax.tree.map(lambda leaf, i=i: leaf[i], rows)
            each.append(one(jax.tree.map(_again, told), pool, *row))
        said = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        there = np.isin(np.arange(data.sizes.shape[0]), [*happened.there])
        return end(root, state, data, np.int32(k), there, said)

    return step


def silenced(
    network: Network, rounds: Iterable[Happened], clients: int, begin: int = 0
) -> Network:
    """The network in which the same clients took part in each round from `begin` on.

    With it `round_step` simulates what happened as it simulates anything, many clients
    at once; not so those who began anew, of whom a network knows nothing.
    """
    table = np.array([[m in r.there for m in range(clients)] for r in rounds], bool)
    there = jnp.asarray(table)

    def plan(key, state, round_index):
        found = network.plan(key, state, round_index)
        heard = there[round_index - begin][found.who]
        return found._replace(listens=found.listens & heard)

    return network._replace(plan=plan)


def _without(
    federation: Federation, state: State, first: State, anew: frozenset[int]
) -> State:
    """The state in which neither end remembers anything of these clients."""
    if not anew:
        return state
    who = jnp.asarray(sorted(anew))

    def again(leaf: Any, start: Any) -> Any:
        return leaf.at[who].set(start[who])

    state = forgotten(federation, state, who, jnp.ones(len(anew), bool))
    return state._replace(
        client_memory=jax.tree.map(again, state.client_memory, first.client_memory),
        local_memory=jax.tree.map(again, state.local_memory, first.local_memory),
    )


def _again(leaf: Any) -> Any:
    """A key that may be used once more, see `jax.random.clone`; others as they are."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.clone(leaf)
    return leaf
