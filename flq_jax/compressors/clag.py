"""CLAG: silence while the estimate is near, measured by what x itself has moved."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import Compressor
from flq_jax.compressors.triggered import Trigger, squared_norm, triggered
from flq_jax.single import single


class Last(NamedTuple):
    """What the rule of `clag` remembers.

    Attributes:
        x: of the client's last round, f32[d].
        spoken: whether there was one, bool[].
    """

    x: jax.Array
    spoken: jax.Array


def clag(compressor: Compressor, zeta: float | jax.Array = 1.0) -> Compressor:
    """Speaks iff the server's estimate has fallen behind (Richtarik et al. 2022, CLAG).

    With q the estimate that the server holds and y the x of the client's last round, a
    client sends iff

        ||x - q||^2 > zeta ||x - y||^2,

    and in its first round, whenever that is. Around `innovation(Q)`, with Q a contraction
    by alpha, E||Q(v) - v||^2 <= (1 - alpha) ||v||^2, it is a three point compressor: for
    any s > 0

        E||x_hat - x||^2 <= (1 - alpha)(1 + s) ||q - y||^2
                            + max((1 - alpha)(1 + 1/s), zeta) ||x - y||^2.

    `innovation(identity())` inside makes it the paper's LAG, and zeta = 0 EF21, which
    speaks whenever there is anything to say. The broadcast brings nothing that it needs.

    Args:
        compressor: see `triggered`.
        zeta: 0 or more, finite; ValueError otherwise. It may be a traced f32[], which
            nothing checks.
    """
    given = isinstance(zeta, jax.Array)
    if not given and not 0.0 <= single(zeta) < math.inf:
        raise ValueError(f"clag: zeta must be finite and 0 or more, got {zeta=}")

    def init(d):
        return Last(jnp.zeros(d), jnp.zeros((), bool))

    def speaks(candidate, last, broadcast):
        del broadcast
        behind = squared_norm(candidate.x - candidate.before)
        moved = squared_norm(candidate.x - last.x)
        return (behind > zeta * moved) | ~last.spoken

    def remember(candidate, last, speaks):
        return Last(candidate.x, last.spoken | speaks)

    return triggered(compressor, Trigger("clag", init, speaks, remember))
