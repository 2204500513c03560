"""Rounds without the host: one loop on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.federated.state import Metrics, State


def run_rounds(
    step: Callable[[State, jax.Array], tuple[State, Metrics]],
    state: State,
    start: jax.Array,
    count: jax.Array,
    capacity: int,
    target: jax.Array | float = -jnp.inf,
) -> tuple[State, Metrics, jax.Array, jax.Array]:
    """Up to `count` rounds from round `start`, in one loop on the device.

    The number of rounds is traced, so that a short last chunk, or one that stops early,
    runs the program that the first chunk compiled.

    Args:
        step: (state, round index) -> (state, metrics).
        state: before round `start`.
        start: i32[].
        count: i32[], 0 to `capacity`.
        capacity: the length of the metrics' leading axis.
        target: stop after the first round whose loss is at most this.

    Returns:
        The state after the last round, the rounds' metrics with leading axis
        [capacity], of which the first `done` are filled; done, i32[]; and whether the
        target was reached, bool[].
    """

    step = jax.jit(step)  # traced once: for the shapes of its metrics, and in the loop

    def proceed(carry):
        _, _, done, stop = carry
        return (done < count) & ~stop

    def body(carry):
        state, log, done, _ = carry
        state, metrics = step(state, start + done)
        log = jax.tree.map(lambda all_, one: all_.at[done].set(one), log, metrics)
        return state, log, done + 1, metrics.loss <= target

    shapes = jax.eval_shape(step, state, start)[1]
    log = jax.tree.map(lambda s: jnp.zeros((capacity, *s.shape), s.dtype), shapes)
    begin = state, log, jnp.int32(0), jnp.zeros((), bool)
    return jax.lax.while_loop(proceed, body, begin)
