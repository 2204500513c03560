"""Floats in the first rounds, and a quantizer from then on."""

import jax.numpy as jnp

from flq_jax.arguments import require_instance, require_integer
from flq_jax.quantizers.base import Quantizer
from flq_jax.quantizers.identity import identity
from flq_jax.quantizers.one_of import one_of


def warm_up(quantizer: Quantizer, rounds: int) -> Quantizer:
    """Sends the floats themselves in rounds 0 to `rounds` - 1, then quantizes.

    So begins 1-bit Adam (Tang et al. 2021). It is `one_of((quantizer, identity()))` with
    the choice made by the round; a message tells by its length which of them it is.

    Args:
        quantizer: a `Quantizer`, else TypeError, with a code a coordinate and messages that are not as long as the
            floats, see `one_of`; ValueError otherwise.
        rounds: 1 or more; ValueError otherwise.
    """
    require_instance("warm_up", "quantizer", quantizer, Quantizer)
    require_integer("warm_up", "rounds", rounds, 1)
    if quantizer.schedule is not None or quantizer.choose is not None:
        raise ValueError(
            "warm_up: takes no grid with a prescribed radius, and no choice or warm-up"
        )
    both = one_of((quantizer, identity()))

    def choose(round_index, choice):
        del choice
        return both.at(round_index, jnp.where(round_index < rounds, 1, 0))

    return both._replace(choose=choose, warm_up=rounds)
