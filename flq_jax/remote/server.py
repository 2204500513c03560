"""A server whose clients are elsewhere: it broadcasts bytes, and makes a step of bytes.

What it computes is what the simulation's server does, `asked`, `settled` and `serve`. In
the place of what clients remember, which it cannot know, its state has the round in which
it counted their last message.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax import wire
from flq_jax.data.clients import ClientData
from flq_jax.federated.network import Plan
from flq_jax.federated.rounds import metrics
from flq_jax.federated.serving import serve
from flq_jax.federated.state import Federation, Metrics, State
from flq_jax.federated.work import Said, asked, settled
from flq_jax.keys import round_keys
from flq_jax.ledger import Links
from flq_jax.quantizers import Layout, Message
from flq_jax.remote.messages import NEVER, Reply


class Announcement(NamedTuple):
    """A round as it begins.

    Attributes:
        frame: the broadcast.
        movements: f32[h], little-endian.
        who: the clients that the network asks.
        acknowledged: of each the round of its last message that was counted, or `NEVER`.
        remembers: whether a broadcast is understood only by who has heard those before.
        reference: what both ends remembered of the downlink before this broadcast.
    """

    frame: bytes
    movements: bytes
    who: tuple[int, ...]
    acknowledged: tuple[int, ...]
    remembers: bool
    reference: list[np.ndarray]


class Spoken(NamedTuple):
    """A reply that counts, and the message in its frame."""

    reply: Reply
    message: Message


class Heard(NamedTuple):
    """What came of the asked, leading axis [s].

    Attributes:
        there: whose reply counts, bool[s].
        anew: who began anew, bool[s].
        loss, finite, overload, news, message: see `Said`; zeros for the others.
    """

    there: Any
    anew: Any
    loss: Any
    finite: Any
    overload: Any
    news: Any
    message: Message


class Server:
    """The server's end of all rounds.

    Args:
        federation: of a network that loses nothing and costs nothing, `everyone` or
            `sampled`: the real one does; ValueError otherwise.
        links: the layouts of its messages.
        root: the run's key.
        sizes: how many examples each client has, i32[m].
    """

    def __init__(
        self, federation: Federation, links: Links, root: jax.Array, sizes: Any
    ):
        require_ideal(federation)
        self.federation, self.links = federation, links
        self._root = root
        self.sizes = np.asarray(sizes, np.int32).tolist()
        nothing = jnp.zeros((len(self.sizes), 0))  # the examples are elsewhere
        self._data = ClientData(nothing, nothing, jnp.asarray(sizes, jnp.int32))
        self._announce = jax.jit(partial(_announced, federation))
        self._close = jax.jit(partial(_closed, federation))

    def announce(self, state: State, k: int) -> Announcement:
        """Begins round k."""
        message, plan = self._announce(self._root, self._data, state, np.int32(k))
        who, clients = np.asarray(plan.who), np.asarray(state.client_memory)
        remembered = (state.downlink.origin, state.downlink.clients)
        return Announcement(
            frame=wire.pack(message, self.links.downlink),
            movements=np.asarray(state.movements, "<f4").tobytes(),
            who=tuple(who.tolist()),
            acknowledged=tuple(clients[who].tolist()),
            remembers=bool(jax.tree.leaves(state.downlink.clients)),
            reference=[np.asarray(leaf) for leaf in jax.tree.leaves(remembered)],
        )

    def message(self, reply: Reply) -> Message:
        """What a client said; `WireError` unless it is a message of the uplink.

        A client that began anew is refused where its own memory must add up with the
        server's, as in `scaffold`: the server would go on with what is lost.
        """
        layout = self.links.uplink
        if reply.anew and self.federation.local_update.settle is not None:
            raise wire.WireError(
                "a client's memory must add up with the server's, and it lost it"
            )
        if not reply.frame:
            return _silence(layout)
        most = wire.OVERHEAD_BYTES + wire.payload_bytes(layout.num_bits)
        if len(reply.frame) > most:
            raise wire.WireError(
                f"wire: frame must be <= {most} bytes, got {len(reply.frame)}"
            )
        message = wire.unpack(reply.frame, layout)
        numbers = [np.asarray(message.side), np.array([reply.loss, reply.news])]
        if layout.floats:
            numbers += [np.asarray(message.codes).view(np.float32)]
        if reply.finite and not all(np.isfinite(each).all() for each in numbers):
            raise wire.WireError("wire: numbers must be finite, got others")
        return message

    def close(
        self, state: State, k: int, who: tuple[int, ...], spoken: Mapping[int, Spoken]
    ) -> tuple[State, Metrics]:
        """Ends round k with the replies that are there, by client.

        The others of `who` are as if the network had not asked them.
        """
        heard = self._heard(who, spoken)
        return self._close(self._root, self._data, state, np.int32(k), heard)

    def _heard(self, who: tuple[int, ...], spoken: Mapping[int, Spoken]) -> Heard:
        nothing = Reply(NEVER, b"", 0.0, True, False, 0.0, False)
        nobody = Spoken(nothing, _silence(self.links.uplink))
        rows = [spoken.get(m, nobody) for m in who]
        replies = [row.reply for row in rows]
        return Heard(
            there=np.array([m in spoken for m in who]),
            anew=np.array([reply.anew for reply in replies]),
            loss=np.array([reply.loss for reply in replies], np.float32),
            finite=np.array([reply.finite for reply in replies]),
            overload=np.array([reply.overload for reply in replies]),
            news=np.array([reply.news for reply in replies], np.float32),
            message=jax.tree.map(
                lambda *leaves: np.stack(leaves), *(row.message for row in rows)
            ),
        )


def require_ideal(federation: Federation) -> None:
    """Raises ValueError unless the network is one that others can take the place of."""
    network = federation.network
    if not network.lossless or network.costs or network.chooses:
        raise ValueError(
            "network: must be everyone() or sampled(n) where clients are elsewhere: what "
            "is lost, and what it costs, is not simulated there"
        )


def elsewhere(state: State, clients: int) -> State:
    """The server's part of a `State` before the first round: nothing is counted yet.

    On one device: no client is computed here.
    """
    counted = jnp.full(clients, NEVER, jnp.int32)
    state = state._replace(client_memory=counted, local_memory=())
    return jax.device_put(state, jax.local_devices()[0])


def forgotten(federation: Federation, state: State, who: Any, anew: Any) -> State:
    """The state without what the server remembers of those who began anew, bool[s]."""
    _, first = federation.compressor.init(state.params.size)

    def again(leaf, start):
        chosen = anew.reshape(-1, *[1] * (leaf.ndim - 1))
        return leaf.at[who].set(jnp.where(chosen, start, leaf[who]))

    return state._replace(server_memory=jax.tree.map(again, state.server_memory, first))


def _announced(
    federation: Federation,
    root: jax.Array,
    data: ClientData,
    state: State,
    k: jax.Array,
) -> tuple[Message, Plan]:
    begun = asked(federation, round_keys(root, k), state, data, k)
    return begun.model.message, begun.plan


def _closed(
    federation: Federation,
    root: jax.Array,
    data: ClientData,
    state: State,
    k: jax.Array,
    heard: Heard,
) -> tuple[State, Metrics]:
    """The rest of the round, once the clients have answered or not."""
    keys = round_keys(root, k)
    begun = asked(federation, keys, state, data, k)
    plan = begun.plan._replace(listens=begun.plan.listens & heard.there)
    state = forgotten(federation, state, plan.who, heard.anew & heard.there)
    counted = jnp.full(plan.who.shape, k)
    said = Said(
        *(heard.loss, heard.finite, heard.overload, heard.news, heard.message),
        memory=counted,
        local=(),
    )
    begun = begun._replace(plan=plan)
    sent = settled(federation, keys, state, begun, said, begun.memories)
    new = serve(federation, keys, state, data, k, sent)
    return new, metrics(sent, data.sizes.shape[0])


def _silence(layout: Layout) -> Message:
    codes = jnp.zeros(layout.num_codes, layout.code_dtype)
    return Message(codes, jnp.zeros(layout.num_sides), jnp.int32(0))
