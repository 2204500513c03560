"""Loops of as many trips as a client asks for, by the platform that runs them."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.federated.rows import select

Carry = TypeVar("Carry")
Step = Callable[[jax.Array, Carry], Carry]


def repeated(
    count: jax.Array | np.ndarray, most: int, step: Step, carry: Carry
) -> Carry:
    """What step(i, carry), i = 0..count-1, makes of the carry, one after another.

    A CPU takes `count` trips. An accelerator takes `most`, of which those from `count` on
    change nothing: otherwise its host would have to ask, before each, whether any client
    goes on, and clients that are computed together last as long as the longest anyway.

    Args:
        count: trips, i32[], 0 to `most`.
        most: trips at most.
        step: (i i32[], carry) -> carry.
        carry: any pytree of arrays.
    """
    step = jax.jit(step)  # traced once for both
    forms = {"cpu": partial(counted, step), "default": partial(masked, step, most)}
    return jax.lax.platform_dependent(count, carry, **forms)


def counted(step: Step, count: jax.Array, carry: Carry) -> Carry:
    """A loop whose length is known when it runs."""
    return jax.lax.fori_loop(0, count, step, carry)


def masked(step: Step, most: int, count: jax.Array, carry: Carry) -> Carry:
    """A loop whose length is known when it is compiled."""

    def trip(carry, index):
        return select(index < count, step(index, carry), carry), None

    return jax.lax.scan(trip, carry, jnp.arange(most))[0]
