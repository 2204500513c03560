"""Means over the devices of a mesh, for which messages travel in place of floats.

Data-parallel training means gradients, or the updates of many local steps, over an axis of
a mesh. Here each replica compresses its own by a link, all replicas gather all messages,
and each of them decodes them all and takes the mean. What crosses is, byte for byte, the
payload that `wire` frames: the sides as f32, then the codes at their true widths, filled up
to a multiple of 128 bytes.
"""

from flq_jax.collectives.mean import CompressedMean, compressed_mean
from flq_jax.collectives.state import Axis, MeanState, state_specs

__all__ = ["Axis", "CompressedMean", "MeanState", "compressed_mean", "state_specs"]
