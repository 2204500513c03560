"""Compressors that remember: the error they made, or what they said last."""

import jax
import jax.numpy as jnp

from flq_jax.compressors.base import (
    NO_BROADCAST,
    Compressor,
    direct,
    require_any_round,
    require_quantizer,
)
from flq_jax.quantizers import Quantizer


def error_feedback(quantizer: Quantizer) -> Compressor:
    """Adds to x what earlier messages left out (Karimireddy et al. 2019, Alg. 1).

        p = x + e,   x_hat = Q(p),   e <- p - x_hat.

    Then the sum of all x_hat differs from the sum of all x by the last e alone.

    Args:
        quantizer: a `Quantizer`, else TypeError, without a schedule, else ValueError.
    """
    require_quantizer(
        "error_feedback",
        quantizer,
        "it adds to x what that quantizer left out, as in error_feedback(sign()); an "
        "innovation's next message carries its error already, which would count twice",
    )
    require_any_round("error_feedback", quantizer, "x + e does not shrink to zero")
    memoryless = direct(quantizer)

    def init(d):
        return jnp.zeros(d), ()

    def encode(key, x, error, broadcast=NO_BROADCAST):
        corrected = x + error
        message = quantizer.at(*broadcast.told).encode(key, corrected)
        return message, corrected - quantizer.decode(jax.random.clone(key), message)

    def overload(x, error, broadcast=NO_BROADCAST):
        return quantizer.at(*broadcast.told).overload(x + error)

    return memoryless._replace(init=init, encode=encode, overload=overload)


def innovation(quantizer: Quantizer) -> Compressor:
    """Sends the quantized change of x since the last message.

    Both ends track the same reference r (Sun et al. 2019, Eq. 4):

        x_hat = r + Q(x - r),   r <- x_hat.

    The references stay equal: both are built from messages alone. A silent client is
    taken to stand where it stood, x_hat = r.

    Args:
        quantizer: a `Quantizer`; TypeError otherwise. One with a schedule makes the
            scheme of Magnusson et al. (2020), whose grid zooms in on a prescribed
            radius.
    """
    require_quantizer(
        "innovation",
        quantizer,
        "the reference must be built from what is sent, and a second memory inside it "
        "would add the same error again",
    )

    def init(d):
        return jnp.zeros(d), jnp.zeros(d)

    def encode(key, x, reference, broadcast=NO_BROADCAST):
        message = quantizer.at(*broadcast.told).encode(key, x - reference)
        _, reference = decode(jax.random.clone(key), message, reference, broadcast)
        return message, reference

    def decode(key, message, reference, broadcast=NO_BROADCAST):
        change = quantizer.at(*broadcast.told).decode(key, message)
        x_hat = jnp.where(message.num_bits > 0, reference + change, reference)
        return x_hat, x_hat

    def overload(x, reference, broadcast=NO_BROADCAST):
        return quantizer.at(*broadcast.told).overload(x - reference)

    return Compressor(
        init,
        encode,
        decode,
        quantizer.layout,
        overload,
        estimate=lambda reference: reference,
        scheduled=quantizer.schedule is not None,
        warm_up=quantizer.warm_up,
    )
