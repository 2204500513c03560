"""Momentum before compression: the link carries an average of the updates."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import NO_BROADCAST, Compressor, around
from flq_jax.single import single


class MomentumMemory(NamedTuple):
    """What a client with momentum remembers.

    Attributes:
        inner: the client memory of the wrapped compressor.
        average: m, f32[d].
    """

    inner: Any
    average: jax.Array


def momentum(compressor: Compressor, beta: float) -> Compressor:
    """Sends a moving average of x instead of x (Bernstein et al. 2018, Alg. 2).

        m <- beta m + (1 - beta) x,   from m = 0;   x_hat follows m.

    The average moves on in rounds in which the inner compressor is silent. With
    `direct(sign())` inside and `MAJORITY_VOTE` at the server this is Signum.

    Args:
        compressor: of m; TypeError otherwise. A grid with a prescribed radius is refused
            by ValueError: the average shrinks by beta a round at the fastest, which
            whoever prescribed the radius for x did not reckon with.
        beta: in [0, 1); ValueError otherwise. 0 leaves x as it is.
    """
    if not isinstance(compressor, Compressor):
        raise TypeError(
            "momentum: needs a compressor, such as direct(...), got a "
            f"{type(compressor).__name__}"
        )
    if compressor.scheduled:
        raise ValueError("momentum: takes no grid with a prescribed radius")
    if not 0.0 <= single(beta) < 1.0:
        raise ValueError(f"momentum: beta must be in [0, 1), got {beta=}")

    def init(d):
        client, server = compressor.init(d)
        return MomentumMemory(client, jnp.zeros(d)), server

    def averaged(x, memory):
        return beta * memory.average + (1.0 - beta) * x

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        average = averaged(x, memory)
        message, inner = compressor.encode(key, average, memory.inner, broadcast)
        return message, MomentumMemory(inner, average)

    def overload(x, memory, broadcast=NO_BROADCAST):
        return compressor.overload(averaged(x, memory), memory.inner, broadcast)

    made = around(compressor, init, encode, overload)
    return made._replace(transforms=True, beta=beta)
