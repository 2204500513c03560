"""Stages of convolutions, each ending in a pool, then dense layers."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax

from flq_jax.arguments import require_integer, require_integers, shown
from flq_jax.models.conv import QuantConv
from flq_jax.models.convolve import max_pool
from flq_jax.models.layers import (
    Bits,
    QuantDense,
    flatten,
    require_low_bit_network,
)


class VGG(nn.Module):
    """3 x 3 convolutions with ReLU in stages, after Simonyan and Zisserman (2015).

    Each stage ends in a 2 x 2 max pool; dense layers follow. See `vgg9`.

    Attributes:
        stages: channels of each convolution of each stage.
        hidden: units of dense layers before the last.
        groups: of channels, normalized after each convolution (Wu & He 2018); 0 for no
            normalization. They must divide all channels.
        num_classes: number of logits.
        bits: W, A and G of the layers between the first and the last.
        edge_bits: W, A and G of the first and of the last layer.
        hidden_range: where hidden units are clipped if A < 32.
        packed: see `LowBitLayer`.
    """

    stages: Sequence[Sequence[int]]
    hidden: Sequence[int] = ()
    groups: int = 0
    num_classes: int = 10
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    hidden_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        require_stages("VGG", self.stages)
        require_integers("VGG", "hidden", self.hidden, least=0)
        require_integer("VGG", "groups", self.groups, 0)
        require_low_bit_network(self)
        self._require_groups()
        super().__post_init__()

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Maps f32[b, h, w] or f32[b, h, w, c] to logits f32[b, num_classes]."""
        x = images[..., None] if images.ndim == 3 else images
        first = True
        for i, widths in enumerate(self.stages):
            for j, width in enumerate(widths):
                x = self._conv(x, width, f"conv_{i}_{j}", first)
                first = False
            x = max_pool(x)
        x = flatten(x)
        for i, width in enumerate(self.hidden):
            x = nn.relu(self._dense(width, self.bits, f"hidden_{i}")(x))
        return self._dense(self.num_classes, self.edge_bits, "output")(x)

    def _conv(self, x: jax.Array, width: int, name: str, first: bool) -> jax.Array:
        y = QuantConv(
            width,
            use_bias=not self.groups,
            bits=self.edge_bits if first else self.bits,
            rescale=not self.groups,  # but where what follows normalizes
            input_range=1.0 if first else self.hidden_range,
            packed=self.packed,
            name=name,
        )(x)
        if self.groups:
            y = nn.GroupNorm(num_groups=self.groups, name=f"{name}_norm")(y)
        return nn.relu(y)

    def _require_groups(self) -> None:
        widths = [width for stage in self.stages for width in stage]
        if self.groups and any(width % self.groups for width in widths):
            raise ValueError(
                f"VGG: groups must divide all channels, got groups={self.groups}"
            )

    def _dense(self, width: int, bits: Bits, name: str) -> QuantDense:
        return QuantDense(
            width,
            bits=bits,
            input_range=self.hidden_range,
            packed=self.packed,
            name=name,
        )


def require_stages(where: str, stages: Any) -> None:
    """Raises ValueError unless `stages` are sequences of integers, one or more of each."""
    if isinstance(stages, str) or not isinstance(stages, Sequence) or not stages:
        raise ValueError(
            f"{where}: stages must be a sequence of sequences of channels, got "
            f"stages={shown(stages)}"
        )
    for stage in stages:
        require_integers(where, "stages", stage)


def vgg9(*, num_classes: int = 10, **attributes: Any) -> VGG:
    """VGG-9 of federations (Wang et al. 2020, FedMA): 3,491,530 parameters on CIFAR-10.

    Six convolutions of 32 to 256 channels and three dense layers.

    Args:
        num_classes: number of logits, 1 or more.
        **attributes: the other attributes of `VGG`.
    """
    return VGG(
        ((32, 64), (128, 128), (256, 256)),
        (512, 512),
        num_classes=num_classes,
        **attributes,
    )
