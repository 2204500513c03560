"""Softmax regression."""

import flax.linen as nn
import jax

from flq_jax.arguments import require_integer
from flq_jax.models.layers import Bits, QuantDense, flatten, require_layer_bits


class Logistic(nn.Module):
    """Multinomial logistic regression: logits = W x + b.

    With 28 x 28 images and 10 classes it has 7850 parameters, 7840 without bias.

    Attributes:
        num_classes: number of logits, 1 or more; ValueError otherwise.
        use_bias: whether there is a b.
        bits: W, A and G of the one layer; A is the images'.
        rescale: see `LowBitLayer`.
        packed: see `LowBitLayer`.
    """

    num_classes: int = 10
    use_bias: bool = True
    bits: Bits = Bits()
    rescale: bool = True
    packed: bool = False

    def __post_init__(self):
        require_integer("Logistic", "num_classes", self.num_classes, 1)
        require_layer_bits("Logistic", self.bits)
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, ...], in [0, 1] if A < 32, to logits f32[b, num_classes]."""
        return QuantDense(
            self.num_classes,
            use_bias=self.use_bias,
            bits=self.bits,
            rescale=self.rescale,
            packed=self.packed,
            name="output",
        )(flatten(images))
