"""Residual networks whose normalization needs no running statistics."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer, require_integers
from flq_jax.models.conv import QuantConv
from flq_jax.models.layers import Bits, QuantDense, require_low_bit_network


class ResNet(nn.Module):
    """A 3 x 3 convolution, stages of basic blocks, a mean over the image, a dense layer.

    After He et al. (2016, Sec. 4.2), with group in place of batch normalization, as
    Hsieh et al. (2020) and Reddi et al. (2021) have it in federations:

        y = relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)).

    Each stage but the first begins with a stride of 2. Where a block changes the shape,
    the shortcut is a 1 x 1 convolution and a normalization (their option B).

    Attributes:
        blocks: of each stage.
        widths: channels of each stage, as many.
        groups: of channels in a normalization; they divide the widths.
        num_classes: number of logits. All of these are 1 or more; ValueError otherwise.
        bits: W, A and G of the layers between the first and the last.
        edge_bits: W, A and G of the first and of the last layer.
        hidden_range: where hidden units are clipped if A < 32.
        packed: see `LowBitLayer`.
    """

    blocks: Sequence[int]
    widths: Sequence[int]
    groups: int = 2
    num_classes: int = 10
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    hidden_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        require_integers("ResNet", "blocks", self.blocks)
        require_integers("ResNet", "widths", self.widths)
        require_integer("ResNet", "groups", self.groups, 1)
        require_low_bit_network(self)
        self._require_shape()
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, h, w] or f32[b, h, w, c] to logits f32[b, num_classes]."""
        x = images[..., None] if images.ndim == 3 else images
        x = self._conv(x, self.widths[0], 3, 1, "stem", self.edge_bits, 1.0)
        x = nn.relu(x)
        for stage, (blocks, width) in enumerate(zip(self.blocks, self.widths)):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                x = self._block(x, width, stride, f"stage_{stage}_block_{block}")
        return QuantDense(
            self.num_classes,
            bits=self.edge_bits,
            input_range=self.hidden_range,
            packed=self.packed,
            name="output",
        )(jnp.mean(x, axis=(1, 2)))

    def _block(self, x: jax.Array, width: int, stride: int, name: str) -> jax.Array:
        conv = partial(self._conv, bits=self.bits, input_range=self.hidden_range)
        y = nn.relu(conv(x, width, 3, stride, f"{name}_first"))
        y = conv(y, width, 3, 1, f"{name}_second")
        if stride != 1 or x.shape[-1] != width:
            x = conv(x, width, 1, stride, f"{name}_shortcut")
        return nn.relu(y + x)

    def _conv(
        self,
        x: jax.Array,
        width: int,
        window: int,
        stride: int,
        name: str,
        bits: Bits,
        input_range: float,
    ) -> jax.Array:
        """A convolution and its normalization."""
        y = QuantConv(
            width,
            (window, window),
            stride=(stride, stride),
            use_bias=False,
            bits=bits,
            rescale=False,  # what follows normalizes
            input_range=input_range,
            packed=self.packed,
            name=name,
        )(x)
        return nn.GroupNorm(num_groups=self.groups, name=f"{name}_norm")(y)

    def _require_shape(self) -> None:
        if len(self.blocks) != len(self.widths):
            raise ValueError(
                "ResNet: blocks and widths must be as many, got "
                f"blocks={self.blocks} widths={self.widths}"
            )
        if any(width % self.groups for width in self.widths):
            raise ValueError(
                f"ResNet: groups must divide widths={self.widths}, got "
                f"groups={self.groups}"
            )


def resnet8(*, num_classes: int = 10, **attributes: Any) -> ResNet:
    """ResNet-8 for small images: 78,042 parameters with three colours and 10 classes.

    Args:
        num_classes: number of logits, 1 or more, as of the next two.
        **attributes: the other attributes of `ResNet`, likewise.
    """
    return ResNet((1, 1, 1), (16, 32, 64), num_classes=num_classes, **attributes)


def resnet20(*, num_classes: int = 10, **attributes: Any) -> ResNet:
    """ResNet-20 for small images: 272,474 parameters with three colours, 10 classes."""
    return ResNet((3, 3, 3), (16, 32, 64), num_classes=num_classes, **attributes)


def resnet18(*, num_classes: int = 10, **attributes: Any) -> ResNet:
    """ResNet-18, with a 3 x 3 stem and no pool, as on CIFAR: 11,173,962 parameters."""
    return ResNet(
        (2, 2, 2, 2), (64, 128, 256, 512), num_classes=num_classes, **attributes
    )
