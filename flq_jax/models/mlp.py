"""A network of dense layers."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from flq_jax.models.layers import Bits, QuantDense, flatten


class MLP(nn.Module):
    """Dense layers with ReLU between them.

    With 28 x 28 images and 10 classes, h hidden units make 795 h + 10 parameters:
    159010 for h = 200, 101770 for h = 128.

    Attributes:
        hidden: units of each hidden layer.
        num_classes: number of logits.
        use_bias: whether layers have a bias.
        bits: W, A and G of every layer, or a sequence of them with one for each of the
            len(hidden) + 1 layers; ValueError otherwise. A of the first layer is the
            images', A of a later one that of the hidden units before it.
        rescale: see `LowBitLayer`.
        hidden_range: where hidden units are clipped if A < 32; 1 is Eq. 10 of Zhou et
            al. (2016).
        packed: see `LowBitLayer`.
    """

    hidden: Sequence[int] = (200,)
    num_classes: int = 10
    use_bias: bool = True
    bits: Bits | Sequence[Bits] = Bits()
    rescale: bool = True
    hidden_range: float = 1.0
    packed: bool = False

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, ...], in [0, 1] if A < 32, to logits f32[b, num_classes]."""
        x = flatten(images)
        widths = (*self.hidden, self.num_classes)
        for i, (width, bits) in enumerate(zip(widths, self._layer_bits())):
            x = QuantDense(
                width,
                use_bias=self.use_bias,
                bits=bits,
                rescale=self.rescale,
                input_range=self.hidden_range if i else 1.0,
                packed=self.packed,
                name="output" if i == len(self.hidden) else f"hidden_{i}",
            )(x if i == 0 else nn.relu(x))
        return x

    def _layer_bits(self) -> Sequence[Bits]:
        layers = len(self.hidden) + 1
        if isinstance(self.bits, Bits):
            return (self.bits,) * layers
        if len(self.bits) != layers:
            raise ValueError(
                f"MLP: bits must be one Bits or {layers} for hidden={self.hidden}, got "
                f"{len(self.bits)}"
            )
        return self.bits
