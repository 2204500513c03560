"""What a round asks of a client: its computation, and the messages to and fro."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from flq_jax.compressors import Compressor
from flq_jax.federated import Downlink, LocalUpdate
from flq_jax.models import LayerCost
from flq_jax.networks.cell_network import Work
from flq_jax.wireless import cost


def work(
    layers: Sequence[LayerCost],
    d: int,
    client: LocalUpdate,
    uplink: Compressor,
    downlink: Downlink,
    sizes: jax.Array,
    bit_operations_a_cycle: float | jax.Array,
) -> Work:
    """What the rounds of a federation ask of the cell that its clients are in.

    Args:
        layers: of the model, see `layer_costs`.
        d: length of what is broadcast, and of a client's update.
        client: what a client computes.
        uplink: what its message is.
        downlink: what the broadcast is.
        sizes: examples of each client, i32[m].
        bit_operations_a_cycle: of a client's processor, above 0.
    """
    busy = cycles(layers, sizes, client.examples(sizes), bit_operations_a_cycle)
    heard = downlink.compressor.layout(d).num_bits
    return Work(uplink.layout(d), heard, busy, sizes)


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
