"""Who takes part in a round, who arrives, and what it costs.

The step asks a `Network` and knows nothing of channels, blocks or watts; a network
knows nothing of models. The two here are ideal: they lose nothing and cost nothing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer


class Plan(NamedTuple):
    """What a network asks of the clients of one round.

    Attributes:
        who: distinct clients, ascending, i32[s]; s is static.
        listens: which of them take part, bool[s]. The others are as if they were not
            there: they neither hear the broadcast nor compute nor speak.
        choice: which of its options each one's quantizer is to use, i32[s], see `one_of`;
            of no meaning to quantizers without.
        details: whatever `Network.settle` wants to see again.
    """

    who: jax.Array
    listens: jax.Array
    choice: jax.Array
    details: Any = ()


class Outcome(NamedTuple):
    """What became of the messages of a round.

    Attributes:
        arrived: whose message is there in time and intact, bool[s]. What is entered for
            clients that said nothing does not matter.
        seconds: until the server goes on, f32[].
        joules: spent by each client, f32[s]; 0 for those who do not take part.
        state: the network's, for the next round.
    """

    arrived: jax.Array
    seconds: jax.Array
    joules: jax.Array
    state: Any


class Network(NamedTuple):
    """The clients' link to the server, round by round.

    Attributes:
        init: () -> state before the first round.
        plan: (key, state, round index i32[]) -> `Plan`, before anything is computed.
        settle: (key, state, plan, num_bits i32[s], news f32[s]) -> `Outcome`, once the
            lengths of the messages are known, see `Message`, 0 for silence, of those who have nothing
            to say as of those who do not take part; and what they are worth: by how
            much each moves the server's estimate of its client, ||q' - q||^2, or where
            it keeps none ||x||^2.
        everyone: whether all clients hear every broadcast.
        chooses: whether `Plan.choice` follows the links, or the losses; otherwise it is
            0.
        costs: whether rounds cost seconds and joules, and messages may be lost.
        lossless: whether the message of everyone who listens arrives, whatever it and
            those of the others are.
        clients: M, of how many it chooses; 0 where it does not say.
        hear: (state, loss f32[]) -> state, of a round's mean loss, see `Uplink`, NaN where
            there is none; None where nothing follows the losses.
        options: among how many options of the uplink it chooses; 0 where it does not say.
        doubles: whether each of them must send twice the levels of the one before, which
            is one bit a coordinate more.
    """

    init: Callable[[], Any]
    plan: Callable[[jax.Array, Any, jax.Array], Plan]
    settle: Callable[[jax.Array, Any, Plan, jax.Array, jax.Array], Outcome]
    everyone: bool = False
    chooses: bool = False
    costs: bool = False
    lossless: bool = False
    clients: int = 0
    hear: Callable[[Any, jax.Array], Any] | None = None
    options: int = 0
    doubles: bool = False


def require_clients(network: Network, clients: int) -> None:
    """Raises ValueError if the network chooses among another number of clients."""
    if network.clients not in (0, clients):
        raise ValueError(
            f"network: must be that of the {clients} clients, got one of {network.clients}"
        )


def everyone(clients: int) -> Network:
    """All of the `clients` take part in every round, and all messages arrive.

    Args:
        clients: M, 1 or more; ValueError otherwise.
    """
    require_integer("everyone", "clients", clients, 1)
    return _ideal(clients, lambda key: jnp.arange(clients), everyone=True)


def sampled(count: int, clients: int) -> Network:
    """`count` of the `clients`, uniformly without replacement (McMahan et al. 2017).

    All their messages arrive.

    Args:
        count: 1 to M; ValueError otherwise.
        clients: M, 1 or more; ValueError otherwise.
    """
    require_integer("sampled", "clients", clients, 1)
    require_integer("sampled", "count", count, 1, clients)
    return _ideal(
        clients,
        lambda key: jnp.sort(jax.random.choice(key, clients, (count,), replace=False)),
        everyone=count == clients,
    )


def _ideal(
    clients: int, choose: Callable[[jax.Array], jax.Array], everyone: bool
) -> Network:
    def plan(key, state, round_index):
        del state, round_index
        who = choose(key)
        return Plan(who, jnp.ones(who.shape, bool), jnp.zeros(who.shape, jnp.int32))

    def settle(key, state, plan, num_bits, news):
        del key, num_bits, news
        free = jnp.zeros(plan.who.shape)
        return Outcome(plan.listens, jnp.float32(0.0), free, state)

    return Network(
        lambda: (), plan, settle, everyone=everyone, lossless=True, clients=clients
    )
