"""Convolutional networks without normalization."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax

from flq_jax.arguments import require_integer, require_integers
from flq_jax.models.conv import QuantConv
from flq_jax.models.convolve import max_pool
from flq_jax.models.layers import (
    Bits,
    QuantDense,
    flatten,
    require_low_bit_network,
)


class CNN(nn.Module):
    """Convolutions, each followed by a 2 x 2 max pool and a ReLU; then dense layers.

    With 28 x 28 images, 10 classes and 3 x 3 windows, 8, 16 and 24 channels make 6,898
    parameters: 80 + 1,168 + 3,480 + 2,170. See `mcmahan_cnn` for a larger one.

    Attributes:
        channels: of each convolution, of which there are one or more.
        window: rows, and columns, of the convolutions' windows.
        hidden: units of dense layers between the convolutions and the last layer.
        num_classes: number of logits. All of these are 1 or more; ValueError otherwise.
        use_bias: whether layers have a bias.
        bits: W, A and G of the layers between the first and the last.
        edge_bits: W, A and G of the first and of the last layer, which DoReFa-Net
            leaves at full precision; A of the first is the images'.
        rescale: see `LowBitLayer`.
        hidden_range: where hidden units are clipped if A < 32.
        packed: see `LowBitLayer`.
    """

    channels: Sequence[int] = (8, 16, 24)
    window: int = 3
    hidden: Sequence[int] = ()
    num_classes: int = 10
    use_bias: bool = True
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    rescale: bool = True
    hidden_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        require_integers("CNN", "channels", self.channels)
        require_integer("CNN", "window", self.window, 1)
        require_integers("CNN", "hidden", self.hidden, least=0)
        require_low_bit_network(self)
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, h, w] or f32[b, h, w, c] to logits f32[b, num_classes]."""
        common = {
            "use_bias": self.use_bias,
            "rescale": self.rescale,
            "packed": self.packed,
        }
        dense = partial(QuantDense, input_range=self.hidden_range, **common)
        x = images[..., None] if images.ndim == 3 else images
        for i, width in enumerate(self.channels):
            x = QuantConv(
                width,
                (self.window, self.window),
                bits=self.bits if i else self.edge_bits,
                input_range=self.hidden_range if i else 1.0,
                name=f"conv_{i}",
                **common,
            )(x)
            x = nn.relu(max_pool(x))
        x = flatten(x)
        for i, width in enumerate(self.hidden):
            x = nn.relu(dense(width, bits=self.bits, name=f"hidden_{i}")(x))
        return dense(self.num_classes, bits=self.edge_bits, name="output")(x)


def mcmahan_cnn(*, num_classes: int = 10, **attributes: Any) -> CNN:
    """The CNN of McMahan et al. (2017, Sec. 3): 1,663,370 parameters on MNIST.

    5 x 5 convolutions of 32 and 64 channels, a dense layer of 512 units, 10 logits:
    832 + 51,264 + 1,606,144 + 5,130.

    Args:
        num_classes: c, the number of logits, 1 or more.
        **attributes: the other attributes of `CNN`.
    """
    return CNN((32, 64), num_classes=num_classes, window=5, hidden=(512,), **attributes)
