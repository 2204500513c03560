"""AdaQuantFL: as many more levels as the root of the loss has fallen."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.federated.doubling import doubling, require_doubling
from flq_jax.federated.network import Network


class Fall(NamedTuple):
    """What the server remembers of the losses.

    Attributes:
        network: the wrapped network's state.
        first: F_0, the first round's, f32[]; 0 before it.
        last: F_k, the last round's, f32[]; 0 before it.
    """

    network: Any
    first: jax.Array
    last: jax.Array


def adaquantfl(network: Network, options: int) -> Network:
    """Tells all clients how many levels to send (Jhunjhunwala et al. 2021, AdaQuantFL).

    Of the training losses F_0 of the first round and F_k of the last,

        s_k = ceil(sqrt(F_0 / F_k) s_0),

    and s_0 before there is one. Option i of the uplink has 2^i s_0 levels, so that each is
    one bit a coordinate longer than the one before, which `federation` asks of them; sent
    are the fewest that are s_k or more, the option ceil(log2(F_0 / F_k) / 2), or the last:

        one_of((stochastic(2), stochastic(4), stochastic(8), stochastic(16))).

    Where the loss grows again the levels are fewer again. The rule was read in the public
    code of DAdaQuant's authors (Hönig, Zhao and Mullins 2022), who compare with it; of the
    paper itself only the introduction could be read. F is the loss of all clients, here the mean over the round's,
    see `LocalUpdate`: with `everyone` it is what the rule asks for. The losses that go up
    and the choice that comes down, an integer, are not counted.

    Args:
        network: of all who might be asked, `everyone` or `sampled`; TypeError otherwise,
            ValueError if it loses messages or chooses widths itself.
        options: of the uplink's `one_of`, 2 or more; ValueError otherwise.
    """
    require_doubling("adaquantfl", network, options)

    def init():
        return Fall(network.init(), jnp.float32(0.0), jnp.float32(0.0))

    def plan(key, state, round_index):
        made = network.plan(key, state.network, round_index)
        choice = option(state.first, state.last, options)
        return made._replace(choice=jnp.broadcast_to(choice, made.who.shape))

    def hear(state, loss):
        there = jnp.isfinite(loss) & (loss > 0.0)
        first = jnp.where(there & (state.first == 0.0), loss, state.first)
        return state._replace(first=first, last=jnp.where(there, loss, state.last))

    return doubling(network, options, init, plan, hear)


def option(first: jax.Array, last: jax.Array, options: int) -> jax.Array:
    """The least i with 2^i >= sqrt(first / last), at most the last option, i32[].

    Args:
        first, last: above 0, f32[]; both 0 where there was no loss yet.
        options: how many there are.
    """
    fallen = jnp.where(last > 0.0, first / jnp.where(last > 0.0, last, 1.0), 1.0)
    enough = 4.0 ** jnp.arange(options - 1) >= fallen
    return jnp.where(jnp.any(enough), jnp.argmax(enough), options - 1).astype(jnp.int32)
