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
from flq_jax.single import single


def error_feedback(quantizer: Quantizer, *, decay: float = 1.0) -> Compressor:
    """Adds to x what earlier messages left out (Karimireddy et al. 2019, Alg. 1).

        p = x + b e,   x_hat = Q(p),   e <- p - x_hat.

    With b = 1 the sum of all x_hat differs from the sum of all x by the last e alone. With
    b < 1 what waits fades, which with a `top_k` of few coordinates acts as momentum:
    SparseLoCo (Sarfi et al. 2025) has b = 0.95 around `top_k(0.02, values=...)` and sends
    so the updates of many local steps.

    Args:
        quantizer: a `Quantizer`, else TypeError, without a schedule, else ValueError.
        decay: b, in [0, 1]; ValueError otherwise. 0 forgets.
    """
    require_quantizer(
        "error_feedback",
        quantizer,
        "it adds to x what that quantizer left out, as in error_feedback(sign()); an "
        "innovation's next message carries its error already, which would count twice",
    )
    require_any_round("error_feedback", quantizer, "x + e does not shrink to zero")
    if not 0.0 <= single(decay) <= 1.0:
        raise ValueError(f"error_feedback: decay must be in [0, 1], got {decay=}")
    memoryless = direct(quantizer)

    def init(d):
        return jnp.zeros(d), ()

    def encode(key, x, error, broadcast=NO_BROADCAST):
        corrected = x + decay * error
        message = quantizer.at(*broadcast.told).encode(key, corrected)
        return message, corrected - quantizer.decode(jax.random.clone(key), message)

    def overload(x, error, broadcast=NO_BROADCAST):
        return quantizer.at(*broadcast.told).overload(x + decay * error)

    return memoryless._replace(init=init, encode=encode, overload=overload)


def innovation(quantizer: Quantizer, *, rate: float = 1.0) -> Compressor:
    """Sends the quantized change of x since the last message.

    Both ends track the same reference r (Sun et al. 2019, Eq. 4, with a = 1):

        x_hat = r + Q(x - r),   r <- r + a Q(x - r).

    The references stay equal: both are built from messages alone. With a = 1, r is the last
    x_hat, and a silent client is taken to stand where it stood, x_hat = r.

    A smaller step is DIANA's (Mishchenko et al. 2019), for an unbiased Q with E ||Q(v) -
    v||^2 <= w ||v||^2: with a <= 1 / (1 + w), r comes to x where one step with a = 1 would
    throw it as far off as w says, and x_hat is unbiased all the while. The server then
    holds no estimate of a silent client, who counts for nothing. DIANA on the uplink and
    `innovation` on the downlink are DORE (Liu et al. 2020).

    Args:
        quantizer: a `Quantizer`; TypeError otherwise. One with a schedule makes the
            scheme of Magnusson et al. (2020), whose grid zooms in on a prescribed
            radius.
        rate: a, in (0, 1]; ValueError otherwise.
    """
    require_quantizer(
        "innovation",
        quantizer,
        "the reference must be built from what is sent, and a second memory inside it "
        "would add the same error again",
    )
    if not 0.0 < single(rate) <= 1.0:
        raise ValueError(f"innovation: rate must be in (0, 1], got {rate=}")
    whole = rate == 1.0

    def init(d):
        return jnp.zeros(d), jnp.zeros(d)

    def encode(key, x, reference, broadcast=NO_BROADCAST):
        message = quantizer.at(*broadcast.told).encode(key, x - reference)
        _, reference = decode(jax.random.clone(key), message, reference, broadcast)
        return message, reference

    def decode(key, message, reference, broadcast=NO_BROADCAST):
        change = quantizer.at(*broadcast.told).decode(key, message)
        sent = message.num_bits > 0
        if whole:
            x_hat = jnp.where(sent, reference + change, reference)
            return x_hat, x_hat
        x_hat = jnp.where(sent, reference + change, 0.0)
        return x_hat, jnp.where(sent, reference + rate * change, reference)

    def overload(x, reference, broadcast=NO_BROADCAST):
        return quantizer.at(*broadcast.told).overload(x - reference)

    return Compressor(
        init,
        encode,
        decode,
        quantizer.layout,
        overload,
        estimate=(lambda reference: reference) if whole else None,
        scheduled=quantizer.schedule is not None,
        warm_up=quantizer.warm_up,
        rate=rate,
        mirrored=lambda reference: reference,
    )
