"""DAdaQuant: levels that double when the loss rests, and more of them for the heavy."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer, require_integers
from flq_jax.federated.doubling import doubling, require_doubling
from flq_jax.federated.network import Network
from flq_jax.single import single

MOST_PATIENCE = 10_000  # as many averages are remembered


class Resolution(NamedTuple):
    """What the server remembers of the losses.

    Attributes:
        network: the wrapped network's state.
        averages: G, the running average of the loss after each of the last phi rounds,
            newest first, f32[phi]; infinite where there was no round yet.
        rounds: since the last doubling, i32[].
        doublings: so far, i32[].
    """

    network: Any
    averages: jax.Array
    rounds: jax.Array
    doublings: jax.Array


def dadaquant(
    network: Network,
    options: int,
    patience: int,
    smoothing: float = 0.9,
    examples: Sequence[int] | None = None,
) -> Network:
    """Tells each client how many levels to send (Hönig, Zhao and Mullins 2022, Sec. 3).

    Of the loss L_t of round t, the mean of its clients', the server keeps
    G_t = psi G_(t-1) + (1 - psi) L_t, from G_1 = L_1. It begins with q levels,

        q <- 2 q   if G_t >= G_(t+1-phi), and phi rounds have passed since the last time,

    up to the last option. Where `examples` are given, a client with the share w_k of the
    examples of the round's clients sends

        q_k = q sqrt(sum_j w_j^(2/3) / sum_j w_j^2) w_k^(2/3)

    levels: the fewest in sum for which their mean has the variance that q levels each
    would give it (Theorem 1). The paper rounds q_k to an integer; here it goes to the
    nearest option, by ratios. Option i of the uplink must have 2^i times the levels of the
    first. Each doubling is one bit a coordinate, which is what `federation` asks of them:

        one_of((stochastic(1), stochastic(2), stochastic(4), stochastic(8))).

    Read in the paper's text, and in the authors' public code, which says when levels may
    first double, that G_1 = L_1, and compares by > where the paper has >=. The paper's loss
    is that of the model that was broadcast, here it is a client's own, see `LocalUpdate`;
    the paper codes its levels, here none is coded, since a message's length tells its
    option. The losses that go up, a float a client, and the choices that come down are not
    counted.

    Args:
        network: of all who might be asked, `everyone` or `sampled`; TypeError otherwise,
            ValueError if it loses messages or chooses widths itself.
        options: of the uplink's `one_of`, 2 or more.
        patience: phi, rounds, 2 to 10,000; a tenth of the run in the paper.
        smoothing: psi, in [0, 1); 0.9 in the paper.
        examples: of each client, 1 or more; None for the same levels for all.

    Raises:
        ValueError: also where a number is out of its range, or the network is another
            number of clients'.
    """
    require_doubling("dadaquant", network, options)
    require_integer("dadaquant", "patience", patience, 2, MOST_PATIENCE)
    if not 0.0 <= single(smoothing) < 1.0:
        raise ValueError(f"dadaquant: smoothing must be in [0, 1), got {smoothing=}")
    if examples is not None:
        require_integers("dadaquant", "examples", examples)
        if network.clients not in (0, len(examples)):
            raise ValueError(
                f"dadaquant: examples must be those of the {network.clients} clients, got "
                f"{len(examples)}"
            )
        heavy = jnp.asarray(examples, jnp.float32)

    def init():
        none = jnp.full(patience, jnp.inf)
        return Resolution(network.init(), none, jnp.int32(0), jnp.int32(0))

    def plan(key, state, round_index):
        made = network.plan(key, state.network, round_index)
        choice = jnp.broadcast_to(state.doublings, made.who.shape)
        if examples is not None:
            counted = jnp.where(made.listens, heavy[made.who], 0.0)
            choice = nearest(state.doublings, counted, options)
        return made._replace(choice=choice)

    def hear(state, loss):
        heard = followed(state, loss, smoothing, options)
        return jax.tree.map(
            lambda new, old: jnp.where(jnp.isfinite(loss), new, old), heard, state
        )

    return doubling(network, options, init, plan, hear)


def nearest(doublings: jax.Array, examples: jax.Array, options: int) -> jax.Array:
    """The option nearest to each q_k = 2^doublings sqrt(a / b) w_k^(2/3), i32[s].

    Args:
        doublings: i32[].
        examples: of the round's clients, f32[s], 0 or more; w are their shares.
        options: how many there are.
    """
    w = examples / jnp.maximum(jnp.sum(examples), 1.0)
    a, b = jnp.sum(w ** (2 / 3)), jnp.sum(w**2)
    q = jnp.sqrt(a / b) * w ** (2 / 3)
    exact = doublings + jnp.where(w > 0.0, jnp.log2(q), 0.0)
    return jnp.clip(jnp.round(exact), 0, options - 1).astype(jnp.int32)


def followed(
    state: Resolution, loss: jax.Array, smoothing: float, options: int
) -> Resolution:
    """The state after a round with this loss, f32[]."""
    last = state.averages[0]
    average = jnp.where(
        jnp.isinf(last), loss, smoothing * last + (1.0 - smoothing) * loss
    )
    averages = jnp.concatenate([average[None], state.averages[:-1]])
    rounds = state.rounds + 1
    rests = (rounds >= len(averages)) & (average >= averages[-1])
    return state._replace(
        averages=averages,
        rounds=jnp.where(rests, 0, rounds),
        doublings=jnp.minimum(state.doublings + rests, options - 1),
    )
