"""Multinomial logistic regression."""

import flax.linen as nn
import jax

from flq_jax.models.layers import Bits, QuantDense
from flq_jax.quantizers.straight_through import quantize_k


class Logistic(nn.Module):
    """logits = W x + b: 7,850 parameters on MNIST, 7,840 without b.

    The input, in [0, 1], is an activation like any other: eight bits hold an image of
    bytes exactly.

    Attributes:
        num_classes: number of logits.
        use_bias: whether there is b.
        widths: W, A and G.
    """

    num_classes: int = 10
    use_bias: bool = True
    widths: Bits = Bits()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """f32[b, ...] -> logits f32[b, num_classes]."""
        x = quantize_k(x.reshape(x.shape[0], -1), self.widths.activations)
        return QuantDense(self.num_classes, self.widths, self.use_bias)(x)
