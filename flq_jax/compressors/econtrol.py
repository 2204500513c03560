"""EControl: a reference that follows x, and an error that is fed back with a weight."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import (
    NO_BROADCAST,
    Compressor,
    require_any_round,
    require_quantizer,
)
from flq_jax.compressors.memory import innovation
from flq_jax.quantizers import Quantizer
from flq_jax.single import single


class EControlMemory(NamedTuple):
    """What a client with EControl remembers.

    Attributes:
        reference: h, the server's estimate, f32[d].
        error: e, f32[d].
    """

    reference: jax.Array
    error: jax.Array


def econtrol(quantizer: Quantizer, eta: float) -> Compressor:
    """Feeds back a share of what all messages left out (Gao, Islamov and Stich 2024).

        D = Q(x - h + eta e),   x_hat = h + D,   e <- e + x - x_hat,   h <- x_hat.

    The error e is the sum of all x less that of all x_hat. eta = 0 is EF21, which is
    `innovation(Q)` and forgets it; the server does just what it does with that.

    The equations are the authors' as our notes recall them; the paper's text was not at
    hand.

    Args:
        quantizer: a contraction, such as `top_k`; a `Quantizer`, else TypeError, without a
            schedule, else ValueError.
        eta: in [0, 1]; ValueError otherwise. What the paper calls so, too.
    """
    require_quantizer("econtrol", quantizer, "it feeds back what that left out")
    require_any_round("econtrol", quantizer, "x - h + eta e does not shrink to zero")
    if not 0.0 <= single(eta) <= 1.0:
        raise ValueError(f"econtrol: eta must be in [0, 1], got {eta=}")
    link = innovation(quantizer)

    def init(d):
        client, server = link.init(d)
        return EControlMemory(client, jnp.zeros(d)), server

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        message, reference = link.encode(
            key, x + eta * memory.error, memory.reference, broadcast
        )
        return message, EControlMemory(reference, memory.error + (x - reference))

    def overload(x, memory, broadcast=NO_BROADCAST):
        return link.overload(x + eta * memory.error, memory.reference, broadcast)

    return link._replace(
        init=init,
        encode=encode,
        overload=overload,
        estimate=lambda memory: memory.reference,
        mirrored=lambda memory: memory.reference,
        transforms=True,
    )
