"""Models: Linen modules with low-bit weights, activations and gradients."""

from flq_jax.models.layers import Bits, QuantDense, bits
from flq_jax.models.logistic import Logistic
from flq_jax.models.loss import classification_loss, num_correct
from flq_jax.models.mlp import MLP

__all__ = [
    "MLP",
    "Bits",
    "Logistic",
    "QuantDense",
    "bits",
    "classification_loss",
    "num_correct",
]
