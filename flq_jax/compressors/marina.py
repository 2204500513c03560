"""MARINA: changes of x from round to round, and now and then x itself."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.compressors.base import (
    NO_BROADCAST,
    Compressor,
    require_any_round,
    require_quantizer,
)
from flq_jax.quantizers import Quantizer, identity, one_of
from flq_jax.single import single


class MarinaMemory(NamedTuple):
    """What a client with MARINA remembers.

    Attributes:
        reference: g, the server's estimate, f32[d].
        x: of its last message, f32[d].
        spoken: whether there was one, bool[].
    """

    reference: jax.Array
    x: jax.Array
    spoken: jax.Array


def marina(quantizer: Quantizer, probability: float, *, seed: int = 0) -> Compressor:
    """Sends what x has changed by, and x itself with a probability (Gorbunov et al. 2021).

        g <- x                  with probability p, and at first,
        g <- g + Q(x - y)       otherwise;   x_hat = g,   y <- x,

    with y the x of the message before. The difference is of two x, not of x and its
    estimate, so that what is left out stays in g until the next x itself: an unbiased Q of
    relative variance w and p = 1 / (1 + w), for `rand_k` k / d, is the paper's choice. x must be
    the full gradient: MARINA takes both gradients on the same examples.

    All clients send themselves in the same rounds, drawn from the seed and the round. A
    message tells by its length which it is; whose message is lost takes its next
    difference from the one before. Read in the authors' public code
    (burlachenkok/flpytorch, fl_pytorch/utils/algorithms.py, MarinaAlgorithm).

    Args:
        quantizer: with a code a coordinate and messages shorter than the floats, see
            `one_of`; a `Quantizer`, else TypeError, without a schedule or a choice,
            else ValueError.
        probability: p, in (0, 1]; ValueError otherwise.
        seed: of the draws, 0 or more; ValueError otherwise.
    """
    require_quantizer("marina", quantizer, "its estimate is built from what is sent")
    require_any_round("marina", quantizer, "x itself does not shrink to zero")
    if quantizer.choose is not None:
        raise ValueError(
            "marina: takes no choice or warm-up: a message's length tells the floats from "
            "the changes"
        )
    if not 0.0 < single(probability) <= 1.0:
        raise ValueError(f"marina: probability must be in (0, 1], got {probability=}")
    require_integer("marina", "seed", seed, 0)
    both = one_of((quantizer, identity()))

    def init(d):
        zeros = jnp.zeros(d)
        return MarinaMemory(zeros, zeros, jnp.zeros((), bool)), zeros

    def itself(memory, broadcast):
        """Whether x itself is to be sent, bool[]."""
        key = jax.random.fold_in(jax.random.key(seed), broadcast.round_index)
        return jax.random.bernoulli(key, probability) | ~memory.spoken

    def encode(key, x, memory, broadcast=NO_BROADCAST):
        whole = itself(memory, broadcast)
        said = jnp.where(whole, x, x - memory.x)
        message = both.at(0, whole.astype(jnp.int32)).encode(key, said)
        key = jax.random.clone(key)
        _, reference = decode(key, message, memory.reference, broadcast)
        return message, MarinaMemory(reference, x, jnp.ones((), bool))

    def decode(key, message, reference, broadcast=NO_BROADCAST):
        del broadcast
        said = both.decode(key, message)
        whole = message.num_bits == both.layout(said.size).lengths[1]
        sent = message.num_bits > 0
        after = jnp.where(whole, said, reference + said)
        x_hat = jnp.where(sent, after, reference)
        return x_hat, x_hat

    def overload(x, memory, broadcast=NO_BROADCAST):
        whole = itself(memory, broadcast)
        return ~whole & quantizer.overload(x - memory.x)

    return Compressor(
        init,
        encode,
        decode,
        both.layout,
        overload,
        estimate=lambda memory: memory.reference,
        mirrored=lambda memory: memory.reference,
        warm_up=1,
    )
