"""Messages that are worth sending, and silence otherwise."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import NO_BROADCAST, Compressor, silence


class LazyMemory(NamedTuple):
    """What a lazy client remembers.

    Attributes:
        inner: the client memory of the wrapped compressor.
        silent_rounds: t_m, rounds since the last message, i32[].
        squared_error: ||x - x_hat||^2 at the last message, f32[].
    """

    inner: Any
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
        compressor: one whose server holds an estimate of each client, such as
            `innovation`; ValueError otherwise, for the server could make nothing of
            silence.
        history: D, 1 or more.
        weight: xi, the sum of the xi_d, 0 or more; it and `error_weight` may be traced
            f32[], which nothing checks.
        max_silence: t_bar, 1 or more.
        error_weight: w, 0 or more: 3 in the paper, 1.5 in its authors' stochastic code.
            With one bit the errors are as large as the news and a client that minds
            them would hardly ever speak: 0 leaves them out.
    """
    if not isinstance(compressor, Compressor) or compressor.estimate is None:
        raise ValueError(
            "lazy: needs a compressor whose server remembers each client's estimate, "
            "such as innovation(...): of a silent client there is nothing else to use"
        )
    if compressor.history:
        raise ValueError("lazy: is lazy already; the inner rule would hide the outer's")
    if compressor.scheduled:
        raise ValueError(
            "lazy: takes no grid with a prescribed radius, which shrinks while a silent "
            "client waits"
        )
    if history < 1 or max_silence < 1:
        raise ValueError(
            f"lazy: history and max_silence must be 1 or more, got {history=} "
            f"{max_silence=}"
        )
    numbers = [w for w in (weight, error_weight) if not isinstance(w, jax.Array)]
    if not all(number >= 0.0 for number in numbers):
        raise ValueError(
            f"lazy: weights must be 0 or more, got {weight=} {error_weight=}"
        )

    def init(d):
        client, server = compressor.init(d)
        return LazyMemory(client, jnp.int32(0), jnp.float32(0.0)), server

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        message, inner = compressor.encode(key, x, memory.inner, broadcast)
        before, after = compressor.estimate(memory.inner), compressor.estimate(inner)
        news, error = _squared_norm(after - before), _squared_norm(x - after)
        rounds = jnp.clip(jnp.asarray(broadcast.round_index), 1, history)
        threshold = weight / rounds * jnp.sum(jnp.asarray(broadcast.movements))
        threshold += error_weight * (error + memory.squared_error)
        send = (news > threshold) | (memory.silent_rounds >= max_silence)
        spoken = LazyMemory(inner, jnp.int32(0), error)
        silent = memory._replace(silent_rounds=memory.silent_rounds + 1)
        memory = jax.tree.map(lambda a, b: jnp.where(send, a, b), spoken, silent)
        return silence(message, send), memory

    def overload(x, memory, broadcast=NO_BROADCAST):
        return compressor.overload(x, memory.inner, broadcast)

    return compressor._replace(
        init=init,
        encode=encode,
        overload=overload,
        estimate=lambda memory: compressor.estimate(memory.inner),
        history=history,
    )


def _squared_norm(x: jax.Array) -> jax.Array:
    return jnp.sum(jnp.square(x))
