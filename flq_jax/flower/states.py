"""What a node remembers, in Flower's `context.state`.

That is kept where the node is, and never sent: the memories of each client in an
`ArrayRecord`, the rounds that name them in a `ConfigRecord`.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flwr.app import ConfigRecord, RecordDict

from flq_jax.flower.records import arrays
from flq_jax.remote import ClientMemory, Memories, Node, NodeMemory

_ROUNDS, _DOWNLINK, _CLIENT = "flq.rounds", "flq.downlink", "flq.client"


def kept(state: RecordDict, memory: NodeMemory) -> None:
    """Puts it into the state, in the place of what was there."""
    rounds: dict[str, Any] = {"heard": memory.heard}
    if memory.downlink is not None:
        state[_DOWNLINK] = arrays(jax.tree.leaves(memory.downlink))
    for m, client in memory.clients.items():
        rounds |= {f"counted.{m}": client.counted, f"pending.{m}": client.pending}
        both = jax.tree.leaves((client.before, client.after))
        state[f"{_CLIENT}.{m}"] = arrays(both)
    state[_ROUNDS] = ConfigRecord(rounds)


def remembered(state: RecordDict, node: Node) -> NodeMemory:
    """What is there; nothing, `NodeMemory()`, where it is not this node's."""
    memories, downlink = node.like
    try:
        rounds: Mapping[str, Any] = state.config_records[_ROUNDS]
        clients = {}
        for m in node.shards:
            if f"counted.{m}" in rounds:
                both = _like(state, f"{_CLIENT}.{m}", (memories, memories))
                clients[m] = ClientMemory(
                    counted=int(rounds[f"counted.{m}"]),
                    before=Memories(*both[0]),
                    pending=int(rounds[f"pending.{m}"]),
                    after=Memories(*both[1]),
                )
        return NodeMemory(
            int(rounds["heard"]), _like(state, _DOWNLINK, downlink), clients
        )
    except (KeyError, ValueError, TypeError):  # another version's, or none
        return NodeMemory()


def _like(state: RecordDict, name: str, like: Any) -> Any:
    """The arrays of a record, as the tree that they were; ValueError if they are not."""
    leaves, tree = jax.tree.flatten(like)
    found = state.array_records[name].to_numpy_ndarrays()
    shapes = [(jnp.shape(x), jnp.result_type(x)) for x in leaves]
    if [(x.shape, x.dtype) for x in found] != shapes:
        raise ValueError(f"{name}: must be of {shapes}, got others")
    return tree.unflatten([jnp.asarray(x) for x in found])
