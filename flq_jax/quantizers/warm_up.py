"""Floats in the first rounds, and a quantizer from then on."""

import jax.numpy as jnp

from flq_jax.quantizers.base import Quantizer
from flq_jax.quantizers.identity import identity
from flq_jax.quantizers.one_of import one_of


def warm_up(quantizer: Quantizer, rounds: int) -> Quantizer:
    """Sends the floats themselves in rounds 0 to `rounds` - 1, then quantizes.

    So begins 1-bit Adam (Tang et al. 2021). It is `one_of((quantizer, identity()))` with
    the choice made by the round; a message tells by its length which of them it is.

    Args:
        quantizer: one with a code a coordinate and messages that are not as long as the
            floats, see `one_of`; ValueError otherwise.
        rounds: 1 or more; ValueError otherwise.
    """
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(
            f"warm_up: rounds must be an integer, 1 or more, got {rounds=}"
        )
    both = one_of((quantizer, identity()))

    def choose(round_index, choice):
        del choice
        return both.at(round_index, jnp.where(round_index < rounds, 1, 0))

    return both._replace(choose=choose, warm_up=rounds)
