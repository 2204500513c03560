"""The round index is the clock of all that is scheduled."""

from typing import Any

import jax
import optax

_Injected = optax.InjectStatefulHyperparamsState


def waited(old: Any, new: Any) -> Any:
    """An optimizer's state after a round in which nobody was heard.

    Schedules have moved on by a round, for they follow the rounds, be it of the step or
    of a weight decay; averages, moments and the counts that correct their bias stand
    where they stood, for they follow the updates.

    Args:
        old: optax state before the round.
        new: what an update would have made of it.
    """

    def each(before, after):
        if isinstance(before, _Injected):
            inner = waited(before.inner_state, after.inner_state)
            return after._replace(inner_state=inner)
        return after if _is_schedule(before) else before

    return jax.tree.map(each, old, new, is_leaf=_is_schedule)


def follows_a_schedule(state: Any) -> bool:
    """Whether a step size of the optimizer with this state changes by the round."""
    return any(
        bool(leaf.hyperparams_states) or follows_a_schedule(leaf.inner_state)
        if isinstance(leaf, _Injected)
        else isinstance(leaf, optax.ScaleByScheduleState)
        for leaf in jax.tree.leaves(state, is_leaf=_is_schedule)
    )


def _is_schedule(state: Any) -> bool:
    """Whether it is a schedule's: with injected values, or a count and nothing else."""
    return isinstance(state, _Injected) or getattr(state, "_fields", ()) == ("count",)
