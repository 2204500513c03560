"""What a round's computation takes of a client's processor."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from flq_jax.models import LayerCost
from flq_jax.wireless import cost


def cycles(
    layers: Sequence[LayerCost],
    examples: jax.Array,
    at_a_time: jax.Array,
    bit_operations_a_cycle: float | jax.Array,
) -> jax.Array:
    """Cycles of each client's round, f32[m]: bit operations over those of a cycle.

    Args:
        layers: of the model, each with its multiply-adds an example and its widths.
        examples: that each client has, i32[m].
        at_a_time: gradients that it takes in a round, f32[m], in examples.
        bit_operations_a_cycle: of the processor, above 0.
    """
    operations = sum(
        cost.training_bit_operations(
            layer.macs,
            layer.bits.weights,
            layer.bits.activations,
            layer.bits.gradients,
        )
        for layer in layers
    )
    work = jnp.where(examples > 0, at_a_time, 0)
    # Nobody computes for nothing: waking up takes a cycle.
    return jnp.maximum(work * operations / bit_operations_a_cycle, 1.0)
