"""Characters by a recurrent network."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flq_jax.arguments import require_integer
from flq_jax.models.layers import (
    Bits,
    LowBitLayer,
    QuantDense,
    dense_product,
    glorot_uniform,
    packed_dense_product,
    require_layer_bits,
)
from flq_jax.models.tokens import embedded
from flq_jax.quantizers.straight_through import quantize_gradient


class QuantLSTM(LowBitLayer):
    """The recurrent half of an LSTM layer (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

        (i, f, g, o) = x_t + a(h_(t-1)) q(W)^T,
        c_t = sigmoid(f + 1) c_(t-1) + sigmoid(i) tanh(g),   h_t = sigmoid(o) tanh(c_t),

    from h = c = 0, where x_t is what the inputs bring to the gates, with their bias. The
    1 keeps the memory open at first. The state lies in (-1, 1): it is `signed`, of range
    1. See `LowBitLayer`; use_bias is not looked at.

    Attributes:
        features: h, number of units.
    """

    features: int

    def __post_init__(self):
        require_integer("QuantLSTM", "features", self.features, 1)
        super().__post_init__()

    @nn.compact
    def __call__(self, gates: jax.Array) -> jax.Array:
        """Maps f32[b, t, 4 h] to f32[b, t, h]; ValueError for others."""
        if gates.ndim != 3 or gates.shape[2] != 4 * self.features:
            raise ValueError(
                f"QuantLSTM: inputs must be floats [b, t, {4 * self.features}], got "
                f"{gates.dtype}{[*gates.shape]}"
            )
        shape = 4 * self.features, self.features
        kernel = self.param("kernel", glorot_uniform, shape)
        multiplied = self.multiplier(kernel, dense_product, packed_dense_product)
        key, steps = self.gradient_key(), gates.shape[1]
        keys = None if key is None else jax.random.split(key, steps)

        def step(state, at):
            hidden, cell = state
            inputs, key = at
            recurrent = quantize_gradient(multiplied(hidden), self.bits.gradients, key)
            i, f, g, o = jnp.split(inputs + recurrent, 4, axis=1)
            cell = nn.sigmoid(f + 1.0) * cell + nn.sigmoid(i) * jnp.tanh(g)
            hidden = nn.sigmoid(o) * jnp.tanh(cell)
            return (hidden, cell), hidden

        zeros = jnp.zeros((gates.shape[0], self.features))
        _, states = jax.lax.scan(step, (zeros, zeros), (gates.swapaxes(0, 1), keys))
        return states.swapaxes(0, 1)


class CharLSTM(nn.Module):
    """What comes next, after every character: an embedding, LSTM layers, a dense layer.

    With 90 characters it is the 820,522-parameter network of Shakespeare's federation
    (McMahan et al. 2017; Reddi et al. 2021): 720 + 271,360 + 525,312 + 23,130.

    Attributes:
        vocabulary: number of tokens, and of logits.
        embedding: numbers that stand for a token; floats, for a lookup is no product.
        hidden: units of a layer.
        layers: number of LSTM layers.
        bits: W, A and G of all products but the first and the last.
        edge_bits: W, A and G of those two.
        packed: see `LowBitLayer`.
    """

    vocabulary: int
    embedding: int = 8
    hidden: int = 256
    layers: int = 2
    bits: Bits = Bits()
    edge_bits: Bits = Bits()
    packed: bool = False

    def __post_init__(self):
        require_integer("CharLSTM", "vocabulary", self.vocabulary, 1)
        require_integer("CharLSTM", "embedding", self.embedding, 1)
        require_integer("CharLSTM", "hidden", self.hidden, 1)
        require_integer("CharLSTM", "layers", self.layers, 1)
        require_layer_bits("CharLSTM", self.bits)
        require_layer_bits("CharLSTM", self.edge_bits)
        super().__post_init__()

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Maps i32[b, t], in 0..vocabulary-1, to logits f32[b, t, vocabulary]."""
        common = {"signed": True, "packed": self.packed}
        x = embedded(self, tokens, self.vocabulary, self.embedding)
        for i in range(self.layers):
            gates = QuantDense(
                4 * self.hidden,
                bits=self.bits if i else self.edge_bits,
                name=f"input_{i}",
                **common,
            )(x)
            x = QuantLSTM(self.hidden, bits=self.bits, name=f"recurrent_{i}", **common)(
                gates
            )
        return QuantDense(
            self.vocabulary, bits=self.edge_bits, name="output", **common
        )(x)
