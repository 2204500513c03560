"""Models and their loss: Linen modules of low-bit layers."""

from flq_jax.models.layers import Bits, QuantDense
from flq_jax.models.logistic import Logistic
from flq_jax.models.loss import classification_loss, num_correct, predict
from flq_jax.models.mlp import MLP

__all__ = [
    "MLP",
    "Bits",
    "Logistic",
    "QuantDense",
    "classification_loss",
    "num_correct",
    "predict",
]
