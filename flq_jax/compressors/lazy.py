"""Messages that are worth sending, and silence otherwise."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.compressors.base import Compressor
from flq_jax.compressors.triggered import Trigger, squared_norm, triggered
from flq_jax.single import single

MOST_HISTORY = 10_000  # as many floats are summed in a round


class Patience(NamedTuple):
    """What the rule of `lazy` remembers.

    Attributes:
        silent_rounds: t_m, rounds since the last message, i32[].
        squared_error: ||x - x_hat||^2 at the last message, f32[].
    """

    silent_rounds: jax.Array
    squared_error: jax.Array


def lazy(
    compressor: Compressor,
    *,
    history: int = 10,
    weight: float | jax.Array = 0.8,
    max_silence: int = 100,
    error_weight: float | jax.Array = 3.0,
) -> Compressor:
    """Stays silent while the news is small against the model's own movement.

    With q the estimate that the server holds and q' what a message would make of it,
    e = x - q' and e_last the error at the last message, a client is silent iff
    (Sun et al. 2019, Eqs. 7a-7b, with xi_d = weight / D)

        ||q' - q||^2 <= sum_{d=1..D} xi_d movement_d + w (||e||^2 + ||e_last||^2)
        and it has been silent for fewer than max_silence rounds,

    where movement_d = ||theta^(k+1-d) - theta^(k-d)||^2 / (alpha M)^2 comes with the
    broadcast. While k < D the k movements there are share the weight, xi_d = weight / k.
    The first round has no movement to compare with.

    Args:
        compressor: see `triggered`.
        history: D, 1 to 10,000.
        weight: xi, the sum of the xi_d, 0 or more; it and `error_weight` may be traced
            f32[], which nothing checks.
        max_silence: t_bar, 1 or more.
        error_weight: w, 0 or more: 3 in the paper, 1.5 in its authors' stochastic code.
            With one bit the errors are as large as the news and a client that minds
            them would hardly ever speak: 0 leaves them out.
    """
    require_integer("lazy", "history", history, 1, MOST_HISTORY)
    require_integer("lazy", "max_silence", max_silence, 1)
    numbers = [w for w in (weight, error_weight) if not isinstance(w, jax.Array)]
    if not all(0.0 <= single(number) < math.inf for number in numbers):
        raise ValueError(
            f"lazy: weights must be finite and 0 or more, got {weight=} {error_weight=}"
        )

    def speaks(candidate, memory, broadcast):
        news = squared_norm(candidate.after - candidate.before)
        error = squared_norm(candidate.x - candidate.after)
        rounds = jnp.clip(jnp.asarray(broadcast.round_index), 1, history)
        threshold = weight / rounds * jnp.sum(jnp.asarray(broadcast.movements))
        threshold += error_weight * (error + memory.squared_error)
        return (news > threshold) | (memory.silent_rounds >= max_silence)

    def remember(candidate, memory, speaks):
        error = squared_norm(candidate.x - candidate.after)
        return Patience(
            jnp.where(speaks, 0, memory.silent_rounds + 1),
            jnp.where(speaks, error, memory.squared_error),
        )

    def init(d):
        del d
        return Patience(jnp.int32(0), jnp.float32(0.0))

    return triggered(compressor, Trigger("lazy", init, speaks, remember, history))
