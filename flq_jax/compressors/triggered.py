"""Silence by rule: what is common to all links that speak only when it is worth it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import (
    NO_BROADCAST,
    Broadcast,
    Compressor,
    around,
    silence,
)


class Candidate(NamedTuple):
    """What a client could say, when it decides whether to.

    Attributes:
        x: what the server should know, f32[d].
        before: the estimate that the server holds, f32[d].
        after: what the message would make of it, f32[d].
    """

    x: jax.Array
    before: jax.Array
    after: jax.Array


class Trigger(NamedTuple):
    """When a client speaks.

    Attributes:
        name: whose it is, for error messages.
        init: d -> what the rule remembers.
        speaks: (candidate, memory, broadcast) -> bool[].
        remember: (candidate, memory, speaks) -> memory after the decision.
        history: h, how many movements `speaks` wants in the broadcast.
    """

    name: str
    init: Callable[[int], Any]
    speaks: Callable[[Candidate, Any, Broadcast], jax.Array]
    remember: Callable[[Candidate, Any, jax.Array], Any]
    history: int = 0


class TriggeredMemory(NamedTuple):
    """What a client with a trigger remembers.

    Attributes:
        inner: the client memory of the wrapped compressor, as of the last message.
        rule: what the trigger remembers.
    """

    inner: Any
    rule: Any


def triggered(compressor: Compressor, trigger: Trigger) -> Compressor:
    """Sends the compressor's message if the trigger asks for it, else nothing.

    Args:
        compressor: one whose server holds an estimate of each client, such as
            `innovation`, since the server could make nothing of silence otherwise; not
            triggered itself, not on a grid with a prescribed radius, and not of
            something made of x; ValueError otherwise.
        trigger: the rule.
    """
    estimate = _required_estimate(trigger.name, compressor)

    def init(d):
        client, server = compressor.init(d)
        return TriggeredMemory(client, trigger.init(d)), server

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        message, inner = compressor.encode(key, x, memory.inner, broadcast)
        estimates = estimate(memory.inner), estimate(inner)
        candidate = Candidate(x, *estimates)
        speaks = trigger.speaks(candidate, memory.rule, broadcast)
        inner = jax.tree.map(lambda a, b: jnp.where(speaks, a, b), inner, memory.inner)
        rule = trigger.remember(candidate, memory.rule, speaks)
        return silence(message, speaks), TriggeredMemory(inner, rule)

    def overload(x, memory, broadcast=NO_BROADCAST):
        return compressor.overload(x, memory.inner, broadcast)

    made = around(compressor, init, encode, overload)
    return made._replace(history=trigger.history, silent=True)


def squared_norm(x: jax.Array) -> jax.Array:
    """||x||^2, f32[]."""
    return jnp.sum(jnp.square(x))


def _required_estimate(
    where: str, compressor: Compressor
) -> Callable[[Any], jax.Array]:
    """What tells a client's estimate; ValueError unless a trigger may wrap it."""
    if not isinstance(compressor, Compressor) or compressor.estimate is None:
        raise ValueError(
            f"{where}: needs a compressor whose server remembers each client's estimate, "
            "such as innovation(...): of a silent client there is nothing else to use"
        )
    if compressor.silent:
        raise ValueError(
            f"{where}: is lazy already; the inner rule would hide the outer's"
        )
    if compressor.transforms:
        raise ValueError(
            f"{where}: compares x with its estimate, and takes no compressor of an "
            "average of x; wrap it the other way round, momentum(lazy(...), beta)"
        )
    if compressor.scheduled:
        raise ValueError(
            f"{where}: takes no grid with a prescribed radius, which shrinks while a "
            "silent client waits"
        )
    return compressor.estimate
