"""Rounds without the host: one loop on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from flq_jax.federated.state import Metrics, State


def run_rounds(
    step: Callable[[State, jax.Array], tuple[State, Metrics]],
    state: State,
    start: jax.Array,
    count: jax.Array | None,
    capacity: int,
    target: jax.Array | float | None = None,
) -> tuple[State, Metrics, jax.Array, jax.Array]:
    """Up to `count` rounds from round `start`, in one loop on the device.

    A traced number of rounds lets a short last chunk, or one that stops early, run the
    program that the first chunk compiled. But the host of an accelerator has to ask, then,
    after each round whether there is another: not so where all `capacity` are wanted, and
    there is no target.

    Args:
        step: (state, round index) -> (state, metrics).
        state: before round `start`.
        start: i32[].
        count: i32[], 0 to `capacity`; None: all of these.
        capacity: the length of the metrics' leading axis.
        target: stop after the first round whose loss is at most this; None: never.

    Returns:
        The state after the last round, the rounds' metrics with leading axis
        [capacity], of which the first `done` are filled; done, i32[]; and whether the
        target was reached, bool[].
    """
    if count is None and target is None:
        return _all_rounds(step, state, start, capacity)
    count = jnp.int32(capacity) if count is None else count
    target = -jnp.inf if target is None else target
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


def _all_rounds(
    step: Callable[[State, jax.Array], tuple[State, Metrics]],
    state: State,
    start: jax.Array,
    count: int,
) -> tuple[State, Metrics, jax.Array, jax.Array]:
    state, log = jax.lax.scan(step, state, start + jnp.arange(count))
    return state, log, jnp.int32(count), jnp.zeros((), bool)
