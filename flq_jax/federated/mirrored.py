"""What both ends of a link remember, kept once: by the server.

By induction. Before the first round the server's memory is `Compressor.mirrored` of the
client's. A message that arrives takes both ends on, `encode` the one and `decode` the
other, and what is mirrored of the one is the other, see `testing.check_compressor`; of
whom nothing arrives, for it was silent, lost, away or not finite, neither end moves what
is mirrored. So the clients of a simulation need not keep it: whoever is asked takes it
from what the server remembers of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from flq_jax.compressors import Compressor
from flq_jax.federated.state import State


class AtServer(NamedTuple):
    """In a client's memory, in the place of an array that the server remembers, too."""


def unmirrored(compressor: Compressor, client_memory: Any) -> Any:
    """A client's memory with `AtServer` in the places of what the server remembers, too.

    The memory itself, where `mirrored` is None or computes something instead of picking
    arrays of the memory: then nobody knows in whose place that would stand.
    """
    leaves, treedef = _leaves(client_memory)
    for place in _mirrored_places(compressor.mirrored, treedef):
        leaves[place] = AtServer()
    return treedef.unflatten(leaves)


def whole(compressor: Compressor, client_memory: Any, server_memory: Any) -> Any:
    """A client's memory with the server's in its places; the inverse of `unmirrored`.

    One without such places is whole.
    """
    leaves, treedef = _leaves(client_memory)
    if not any(map(_is_place, leaves)):
        return client_memory
    places = _mirrored_places(compressor.mirrored, treedef)
    for place, leaf in zip(places, jax.tree.leaves(server_memory), strict=True):
        leaves[place] = leaf
    return treedef.unflatten(leaves)


def as_kept(kept: Any, client_memory: Any) -> Any:
    """A client's memory with `AtServer` where the one that is `kept` has it."""
    return jax.tree.map(
        lambda old, new: old if _is_place(old) else new,
        *(kept, client_memory),
        is_leaf=_is_place,
    )


def both_ends(compressor: Compressor, state: State) -> State:
    """The same state, whose clients keep all that they remember; rounds go on with it."""
    memory = whole(compressor, state.client_memory, state.server_memory)
    return state._replace(client_memory=memory)


def _mirrored_places(mirrored: Callable[[Any], Any] | None, treedef: Any) -> list[int]:
    """Which leaves of the client's memory are those of the server's, in its order.

    None if `mirrored` does more than to pick them: it is shown tokens to pick.
    """
    if mirrored is None:
        return []
    tokens = [object() for _ in range(treedef.num_leaves)]
    try:
        picked = jax.tree.leaves(mirrored(treedef.unflatten(tokens)))
    except (TypeError, AttributeError):
        return []
    places = {id(token): place for place, token in enumerate(tokens)}
    if not all(id(leaf) in places for leaf in picked):
        return []
    return [places[id(leaf)] for leaf in picked]


def _leaves(memory: Any) -> tuple[list[Any], Any]:
    return jax.tree.flatten(memory, is_leaf=_is_place)


def _is_place(leaf: Any) -> bool:
    return isinstance(leaf, AtServer)
