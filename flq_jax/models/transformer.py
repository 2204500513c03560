"""Tokens by a small decoder-only transformer."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.models.layers import (
    Bits,
    QuantDense,
    require_layer_bits,
    require_range,
)
from flq_jax.models.tokens import embedded
from flq_jax.precision import TRAINED


class Attention(nn.Module):
    """Each position's mean of what it and those before it say (Vaswani et al. 2017).

        softmax(Q K^T / sqrt(width / heads)) V,   for each head,

    in floats: no weights are multiplied here.

    Attributes:
        heads: number of heads; they divide the width.
    """

    heads: int

    @nn.compact
    def __call__(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        """Maps three f32[b, t, width] to f32[b, t, width]."""
        b, t, width = query.shape
        parts = b, t, self.heads, width // self.heads
        query, key, value = (x.reshape(parts) for x in (query, key, value))
        scores = jnp.einsum("bthd,bshd->bhts", query, key, precision=TRAINED)
        scores = scores / math.sqrt(parts[-1])
        before = jnp.tril(jnp.ones((t, t), bool))[None, None]
        shares = nn.softmax(jnp.where(before, scores, -jnp.inf))
        said = jnp.einsum("bhts,bshd->bthd", shares, value, precision=TRAINED)
        return said.reshape(b, t, width)


class Transformer(nn.Module):
    """What comes next, after every token: blocks of attention and two dense layers.

        x <- x + out(attention(qkv(norm(x)))),   x <- x + down(relu(up(norm(x)))),

    from the sum of the embeddings of token and position, normalized once more at the end.
    With width d, t positions, v tokens and n blocks it has (v + t) d + n (12 d^2 + 13 d)
    + 2 d + (d + 1) v parameters.

    Attributes:
        vocabulary: v, number of tokens, and of logits.
        length: t, the longest sequence; ValueError for a longer one.
        width: d.
        heads: of the attention; they divide d, ValueError otherwise.
        layers: n.
        bits: W, A and G of all products with weights but the last. Embeddings and what
            attention multiplies are floats.
        edge_bits: W, A and G of the last.
        norm_range: where what is normalized, or attended to, is clipped if A < 32.
        hidden_range: where the hidden units between two dense layers are.
        packed: see `LowBitLayer`.
    """

    vocabulary: int
    length: int = 80
    width: int = 64
    heads: int = 4
    layers: int = 2
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    norm_range: float = 2.0
    hidden_range: float = 1.0
    packed: bool = False

    def __post_init__(self):
        require_integer("Transformer", "vocabulary", self.vocabulary, 1)
        require_integer("Transformer", "length", self.length, 1)
        require_integer("Transformer", "width", self.width, 1)
        require_integer("Transformer", "heads", self.heads, 1)
        require_integer("Transformer", "layers", self.layers, 1)
        require_layer_bits("Transformer", self.bits)
        require_layer_bits("Transformer", self.edge_bits)
        require_range("Transformer", "norm_range", self.norm_range)
        require_range("Transformer", "hidden_range", self.hidden_range)
        if self.width % self.heads:
            raise ValueError(
                f"Transformer: heads must divide width={self.width}, got heads={self.heads}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Maps i32[b, t], in 0..vocabulary-1, to logits f32[b, t, vocabulary]."""
        x = embedded(self, tokens, self.vocabulary, self.width)
        if tokens.shape[1] > self.length:
            raise ValueError(
                f"Transformer: sequences must be of length={self.length} at most, got "
                f"{tokens.shape[1]}"
            )
        table = nn.Embed(self.length, self.width, name="position").embedding
        x = x + table[None, : tokens.shape[1]]
        for i in range(self.layers):
            x = x + self._attended(nn.LayerNorm(name=f"norm_{i}_attention")(x), i)
            x = x + self._transformed(nn.LayerNorm(name=f"norm_{i}_dense")(x), i)
        x = nn.LayerNorm(name="norm")(x)
        return self._dense(self.vocabulary, self.edge_bits, "output")(x)

    def _attended(self, x: jax.Array, i: int) -> jax.Array:
        parts = self._dense(3 * self.width, self.bits, f"qkv_{i}")(x)
        query, key, value = jnp.split(parts, 3, axis=-1)
        found = Attention(self.heads, name=f"attention_{i}")(query, key, value)
        return self._dense(self.width, self.bits, f"out_{i}")(found)

    def _transformed(self, x: jax.Array, i: int) -> jax.Array:
        hidden = nn.relu(self._dense(4 * self.width, self.bits, f"up_{i}")(x))
        return QuantDense(
            self.width,
            bits=self.bits,
            input_range=self.hidden_range,
            packed=self.packed,
            name=f"down_{i}",
        )(hidden)

    def _dense(self, width: int, bits: Bits, name: str) -> QuantDense:
        return QuantDense(
            width,
            bits=bits,
            input_range=self.norm_range,
            signed=True,
            packed=self.packed,
            name=name,
        )
