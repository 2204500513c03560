"""Multilayer perceptrons."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from flq_jax.models.layers import Bits, QuantDense
from flq_jax.quantizers.straight_through import clipped_activation, quantize_k


class MLP(nn.Module):
    """Dense layers with rectifiers between them.

    784-200-10 has 159,010 parameters (the network of Sun et al. 2019), 784-128-10 has
    101,770. With activations of 8 bits or fewer the rectifier is clipped to [0, 1] and
    rounded.

    Attributes:
        hidden: units of each hidden layer.
        num_classes: number of logits.
        use_bias: whether layers have a bias.
        widths: W, A and G of every layer.
    """

    hidden: Sequence[int] = (200,)
    num_classes: int = 10
    use_bias: bool = True
    widths: Bits = Bits()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """f32[b, ...] -> logits f32[b, num_classes]."""
        x = quantize_k(x.reshape(x.shape[0], -1), self.widths.activations)
        for units in self.hidden:
            x = QuantDense(units, self.widths, self.use_bias)(x)
            x = clipped_activation(x, self.widths.activations)
        return QuantDense(self.num_classes, self.widths, self.use_bias)(x)
