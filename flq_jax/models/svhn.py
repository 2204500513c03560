"""DoReFa-Net's network for the Street View House Numbers."""

import flax.linen as nn
import jax

from flq_jax.models.conv import QuantConv
from flq_jax.models.convolve import max_pool
from flq_jax.models.layers import (
    Bits,
    QuantDense,
    flatten,
    require_low_bit_network,
)

# (channels, window, padding, whether a 2 x 2 max pool follows)
LAYERS = (
    (48, 5, "VALID", True),
    (64, 3, "SAME", False),
    (64, 3, "SAME", True),
    (128, 3, "VALID", False),
    (128, 3, "SAME", False),
    (128, 3, "VALID", False),
    (512, 5, "VALID", False),
)
SMALLEST = 40  # rows, and columns, of an image


class SVHNNet(nn.Module):
    """Seven convolutions and a dense layer, after Zhou et al. (2016, Sec. 3.1).

    The layers are those of the authors' program for 40 x 40 images, with 2,082,378
    parameters for three colours and ten classes. In place of batch normalization stands
    one group's (Wu & He 2018): it needs no running statistics, which the clients of a
    federation would have to agree on. Dropout before the last convolution is left out.

    Attributes:
        num_classes: number of logits, 1 or more; ValueError otherwise.
        bits: W, A and G of the layers between the first and the last.
        edge_bits: W, A and G of the first and of the last layer.
        hidden_range: where hidden units are clipped if A < 32.
        packed: see `LowBitLayer`.
    """

    num_classes: int = 10
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    hidden_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        require_low_bit_network(self)
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, h, w, c], h and w 40 or more, to logits f32[b, num_classes]."""
        if images.ndim != 4 or min(images.shape[1:3]) < SMALLEST:
            raise ValueError(
                f"SVHNNet: images must be [b, h, w, c] with h and w {SMALLEST} or more, "
                f"got {images.shape}"
            )
        x = images
        for i, (width, window, padding, pooled) in enumerate(LAYERS):
            x = QuantConv(
                width,
                (window, window),
                padding=padding,
                use_bias=i == 0,
                bits=self.bits if i else self.edge_bits,
                rescale=False,  # what follows normalizes
                input_range=self.hidden_range if i else 1.0,
                packed=self.packed,
                name=f"conv_{i}",
            )(x)
            if i:
                x = nn.GroupNorm(num_groups=1, name=f"norm_{i}")(x)
            x = nn.relu(max_pool(x) if pooled else x)
        return QuantDense(
            self.num_classes,
            bits=self.edge_bits,
            input_range=self.hidden_range,
            packed=self.packed,
            name="output",
        )(flatten(x))
