"""The round index is the clock of all that is scheduled."""

from typing import Any

import jax
import optax

_SCHEDULES = optax.ScaleByScheduleState, optax.InjectStatefulHyperparamsState


def waited(old: Any, new: Any) -> Any:
    """An optimizer's state after a round in which nobody was heard.

    Schedules have moved on by a round, for they follow the rounds; averages, moments and
    the counts that correct their bias stand where they stood, for they follow the
    updates.

    Args:
        old: optax state before the round.
        new: what an update would have made of it.
    """

    def each(before, after):
        if isinstance(before, optax.ScaleByScheduleState):
            return after
        if isinstance(before, optax.InjectStatefulHyperparamsState):
            inner = waited(before.inner_state, after.inner_state)
            return after._replace(inner_state=inner)
        return before

    return jax.tree.map(each, old, new, is_leaf=_is_schedule)


def follows_a_schedule(state: Any) -> bool:
    """Whether a step size of the optimizer with this state changes by the round."""
    return any(
        isinstance(leaf, optax.ScaleByScheduleState)
        or bool(leaf.hyperparams_states)
        or follows_a_schedule(leaf.inner_state)
        for leaf in jax.tree.leaves(state, is_leaf=_is_schedule)
        if _is_schedule(leaf)
    )


def _is_schedule(state: Any) -> bool:
    return isinstance(state, _SCHEDULES)
