"""What a run is made of, what a round hands on, and what it reports."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import optax

from flq_jax.compressors import Compressor
from flq_jax.compressors.base import silence
from flq_jax.federated.aggregation import WEIGHTED_MEAN, Aggregate
from flq_jax.federated.downlink import Downlink, DownlinkState
from flq_jax.federated.groups import Grouping, together
from flq_jax.federated.local import LocalUpdate
from flq_jax.federated.network import Network
from flq_jax.quantizers import Message


class Federation(NamedTuple):
    """What a run is made of; nothing in it changes from round to round.

    Attributes:
        local_update: what a client computes, see `LocalUpdate`.
        compressor: the uplink.
        downlink: how the model reaches the clients.
        server_optimizer: applied to the weighted mean of the clients' updates.
        step_size: the server's step on that mean; it scales the movements which lazy
            clients compare with (alpha M where the server steps by alpha along a sum).
        network: who takes part in a round, and whose message arrives.
        unravel: f32[d] -> the params that `local_update` takes.
        grouping: how many clients are simulated at a time: all of them `together`, or
            `in_groups`.
        aggregate: what the server makes of the estimates: `WEIGHTED_MEAN`, or
            `MAJORITY_VOTE`.
    """

    local_update: LocalUpdate
    compressor: Compressor
    downlink: Downlink
    server_optimizer: optax.GradientTransformation
    step_size: float | jax.Array
    network: Network
    unravel: Callable[[jax.Array], Any]
    grouping: Grouping = together
    aggregate: Aggregate = WEIGHTED_MEAN


class State(NamedTuple):
    """All that a round hands to the next; exactly what a checkpoint holds.

    Attributes:
        params: the server's model theta, f32[d].
        opt_state: the server optimizer's.
        client_memory: what each client's end of the link remembers, leading axis [m];
            `AtServer` in the place of what the server remembers, too.
        local_memory: what each client's own work remembers, leading axis [m], see
            `LocalUpdate`.
        server_memory: what the server remembers of each client, leading axis [m].
        movements: f32[h], see `Broadcast`.
        network: what the network remembers.
        downlink: what both ends of the downlink remember.
    """

    params: jax.Array
    opt_state: optax.OptState
    client_memory: Any
    local_memory: Any
    server_memory: Any
    movements: jax.Array
    network: Any
    downlink: DownlinkState


class Uplink(NamedTuple):
    """What the clients of a round send, and what they keep.

    Attributes:
        who: the clients that the network asked, i32[s].
        messages: what each of them says, leading axis [s], see `heard`.
        arrived: whether the server hears of it, bool[s].
        num_bits: of what each of them sent, lost or not, i32[s], see `Message`.
        client_memory: of all clients, leading axis [m], see `State`.
        local_memory: likewise.
        network: what the network remembers.
        downlink: what both ends of the downlink remember.
        loss: mean local loss of those whose update was finite, at the model that they
            heard, f32[]; NaN if there is none.
        diverged: clients whose update was not finite, i32[].
        overloads: clients whose update lay outside the quantizer's range, i32[].
        downlink_bits: the broadcast's `num_bits`, i32[], see `Message`.
        listeners: clients that heard it, i32[].
        seconds: see `Outcome`.
        joules: of all clients together, f32[].
    """

    who: jax.Array
    messages: Message
    arrived: jax.Array
    num_bits: jax.Array
    client_memory: Any
    local_memory: Any
    network: Any
    downlink: DownlinkState
    loss: jax.Array
    diverged: jax.Array
    overloads: jax.Array
    downlink_bits: jax.Array
    listeners: jax.Array
    seconds: jax.Array
    joules: jax.Array

    @property
    def heard(self) -> Message:
        """The messages that arrived, and silence for the others, leading axis [s]."""
        return jax.vmap(silence)(self.messages, self.arrived)


class Metrics(NamedTuple):
    """One round's figures.

    Attributes:
        loss, diverged, overloads, downlink_bits, listeners, seconds, joules: see `Uplink`.
        uplink_bits: the `num_bits` of what each client sent, lost or not, i32[m]; 0 for
            the silent ones. Layouts tell the bits that it stands for, see `Message`.
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
