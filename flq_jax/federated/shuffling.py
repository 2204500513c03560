"""A random order of a client's examples, by the platform that makes it."""

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers import draws

SHORTEST_SORT = 256  # numbers, below which a sort costs next to nothing


def shuffled(key: jax.Array, size: jax.Array | np.ndarray, capacity: int) -> jax.Array:
    """0..size-1 in a random order, then the other numbers below `capacity`, i32[capacity].

    On a CPU it costs a sort of at most four times the size, or of `SHORTEST_SORT`, and not
    of the capacity: of sorts of a few lengths, each in a loop, one is run. An accelerator's
    host would have to ask which: there all is sorted at once.
    """
    dice, order = draws.uniform(key, (capacity,)), jnp.arange(capacity)
    return jax.lax.platform_dependent(
        jnp.asarray(size), dice, order, cpu=_by_a_few_sorts, default=_sorted_first
    )


def _sorted_first(size: jax.Array, dice: jax.Array, order: jax.Array) -> jax.Array:
    """The numbers of `order` below `size` by their dice, then the others as they are."""
    return jnp.argsort(jnp.where(order >= size, 2.0, dice))


def _by_a_few_sorts(size: jax.Array, dice: jax.Array, order: jax.Array) -> jax.Array:
    """The same, by the shortest of a few sorts that does it."""
    lengths = [len(order)]
    while lengths[-1] > SHORTEST_SORT:
        lengths.append(-(-lengths[-1] // 4))
    for length, less in zip(lengths, [*lengths[1:], -1]):

        def one(_, order, length=length):
            # Read from the carry, or XLA would take the sort out of the loop.
            first = _sorted_first(size, dice[:length], order[:length])
            return order.at[:length].set(first)

        runs = ((size > less) & (size <= length)).astype(jnp.int32)
        order = jax.lax.fori_loop(0, runs, one, order)
    return order
