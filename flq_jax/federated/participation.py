"""Who takes part in a round."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# key -> i32[s], the clients that hear the broadcast; s is static.
Participation = Callable[[jax.Array], jax.Array]


def everyone(clients: int) -> Participation:
    """All of the `clients`, every round."""

    def choose(key):
        del key
        return jnp.arange(clients)

    return choose


def sampled(clients: int, count: int) -> Participation:
    """`count` of the `clients`, uniformly without replacement (McMahan et al. 2017).

    Args:
        clients: M, 1 or more.
        count: 1 to M; ValueError otherwise.
    """
    if not 1 <= count <= clients:
        raise ValueError(f"sampled: count must be in 1..{clients}, got {count=}")

    def choose(key):
        return jnp.sort(jax.random.choice(key, clients, (count,), replace=False))

    return choose
