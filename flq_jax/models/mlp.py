"""A network of dense layers."""

from collections.abc import Sequence

import flax.linen as nn
import jax

from flq_jax.arguments import require_integer, require_integers
from flq_jax.models.layers import (
    Bits,
    QuantDense,
    flatten,
    require_layer_bits,
    require_range,
)


class MLP(nn.Module):
    """Dense layers with ReLU between them.

    With 28 x 28 images and 10 classes, h hidden units make 795 h + 10 parameters:
    159010 for h = 200, 101770 for h = 128.

    Attributes:
        hidden: units of each hidden layer, 1 or more each; ValueError otherwise.
        num_classes: number of logits, 1 or more; ValueError otherwise.
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

    def __post_init__(self):
        require_integers("MLP", "hidden", self.hidden, least=0)
        require_integer("MLP", "num_classes", self.num_classes, 1)
        require_range("MLP", "hidden_range", self.hidden_range)
        each = self._layer_bits()
        for bits in each:
            require_layer_bits("MLP", bits)
        if len(each) != len(self.hidden) + 1:
            raise ValueError(
                f"MLP: bits must be one Bits or {len(self.hidden) + 1} for "
                f"hidden={self.hidden}, got {len(each)}"
            )
        super().__post_init__()

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
        if isinstance(self.bits, list | tuple):
            return self.bits
        # pyrefly: ignore[bad-return] a sequence of another kind is refused as no Bits
        return (self.bits,) * (len(self.hidden) + 1)
