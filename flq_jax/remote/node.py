"""A node: it hears the broadcast, works for its clients, and answers in bytes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import wire
from flq_jax.compressors import Broadcast
from flq_jax.compressors.base import silence
from flq_jax.data.flat import Shards
from flq_jax.federated.downlink import DownlinkState, received
from flq_jax.federated.state import Federation
from flq_jax.federated.work import Said, Told, client, kept, speaking
from flq_jax.keys import round_keys
from flq_jax.ledger import Links
from flq_jax.quantizers import Message
from flq_jax.remote.memory import ClientMemory, Memories, NodeMemory, recalled
from flq_jax.remote.messages import NEVER, Answer, Instruction, Reply


class Node:
    """Works for some of the clients of a federation, on any machine.

    Args:
        federation: what the run is made of.
        links: the layouts of its messages.
        root: the run's key.
        shards: the examples of the clients that it works for, by number, see
            `ClientData.one`, all of one capacity.
        params: the initial model's params, as they are broadcast: what clients remember
            before their first round may be shaped by them.
    """

    def __init__(
        self,
        federation: Federation,
        links: Links,
        root: jax.Array,
        shards: Mapping[int, Shards],
        params: Any,
    ):
        self.shards = shards
        self._links, self._root, self._down = links, root, federation.downlink
        d = sum(jnp.size(leaf) for leaf in jax.tree.leaves(params))
        self._d = d
        self._first = Memories(
            federation.compressor.init(d)[0], federation.local_update.init(params)
        )
        self._hear = jax.jit(partial(_heard, federation))
        self._work = jax.jit(partial(_worked, federation))

    @property
    def sizes(self) -> dict[int, int]:
        """How many examples each client has."""
        return {m: int(shard.sizes) for m, shard in self.shards.items()}

    @property
    def like(self) -> tuple[Memories, Any]:
        """Memories of a client, and of the downlink, as they are shaped."""
        origin = jnp.zeros(self._d)
        return self._first, (origin, self._down.compressor.init(self._d)[1])

    def answer(
        self, instruction: Instruction, memory: NodeMemory
    ) -> tuple[Answer, NodeMemory]:
        """(what the node answers, what it remembers then).

        Raises:
            WireError: the broadcast is damaged or of another layout.
            KeyError: it is asked for a client that it does not work for.
        """
        k, digest = instruction.round_index, instruction.digest
        message = wire.unpack(instruction.frame, self._links.downlink)
        before = self._before(instruction, memory)
        if before is None:
            return Answer(k, digest, True, ()), memory
        model, after = self._hear(self._root, np.int32(k), message, *before)
        told = model, np.frombuffer(instruction.movements, "<f4")
        clients, replies = dict(memory.clients), []
        for m, acknowledged, turn in zip(
            instruction.clients,
            instruction.acknowledged,
            instruction.turns,
            strict=True,
        ):
            began = recalled(clients.get(m), acknowledged, self._first)
            said = self._work(
                *(self._root, np.int32(k), *told),
                *(m, np.int32(turn), self.shards[m], began[0]),
            )
            after_it = Memories(said.memory, said.local)
            clients[m] = ClientMemory(acknowledged, began.memories, k, after_it)
            replies.append(self._reply(m, said, began.anew))
        return (
            Answer(k, digest, False, tuple(replies)),
            NodeMemory(k, (before[0], after), clients),
        )

    def _before(self, instruction: Instruction, memory: NodeMemory) -> Any:
        """What the broadcast is to be understood with; None if that is not there."""
        if instruction.reference:
            tree = jax.tree.structure(self.like[1])
            return tree.unflatten(instruction.reference)
        if instruction.since == NEVER:
            return self.like[1]
        return memory.downlink if memory.heard == instruction.since else None

    def _reply(self, m: int, said: Said, anew: bool) -> Reply:
        frame = b""
        if int(said.message.num_bits):
            frame = wire.pack(said.message, self._links.uplink)
        return Reply(
            client=m,
            frame=frame,
            loss=float(said.loss),
            finite=bool(said.finite),
            overload=bool(said.overload),
            news=float(said.news),
            anew=anew,
        )


def _heard(
    federation: Federation,
    root: jax.Array,
    k: jax.Array,
    message: Message,
    origin: jax.Array,
    memory: Any,
) -> tuple[jax.Array, Any]:
    """(the model f32[d] as it is heard, what is remembered of the downlink then)."""
    state = DownlinkState((), memory, origin)
    return received(federation.downlink, round_keys(root, k), message, state)


def _worked(
    federation: Federation,
    root: jax.Array,
    k: jax.Array,
    model: jax.Array,
    movements: jax.Array,
    index: jax.Array,
    turn: jax.Array,
    shard: Shards,
    memories: Memories,
) -> Said:
    """What one client says, and remembers once it has been counted.

    Its message is silence where it has no examples, or is not `sendable`.
    """
    keys = round_keys(root, k)
    broadcast = Broadcast(k, movements, shared=keys.shared)
    told = Told(federation.unravel(model), broadcast, keys.local, keys.uplink)
    pool, row = shard.apart()
    said = client(federation, told, pool, index, row, *memories, jnp.int32(0), turn)

    def alone(tree):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], tree)

    active = speaking(jnp.ones(1, bool), alone(said), alone(shard.sizes))
    both = kept(alone(said), alone(tuple(memories)), active, active)
    memory, local = jax.tree.map(lambda leaf: leaf[0], both)
    message = silence(said.message, active[0])
    return said._replace(message=message, memory=memory, local=local)
