"""Models and their loss: Linen modules of low-bit layers."""

from flq_jax.models.cnn import CNN, mcmahan_cnn
from flq_jax.models.conv import QuantConv
from flq_jax.models.costs import LayerCost, layer_costs
from flq_jax.models.layers import Bits, QuantDense
from flq_jax.models.logistic import Logistic
from flq_jax.models.loss import classification_loss, num_correct, predict
from flq_jax.models.mlp import MLP
from flq_jax.models.shapes import shapes_of
from flq_jax.models.svhn import SVHNNet

__all__ = [
    "CNN",
    "MLP",
    "Bits",
    "LayerCost",
    "Logistic",
    "QuantConv",
    "QuantDense",
    "SVHNNet",
    "classification_loss",
    "layer_costs",
    "mcmahan_cnn",
    "num_correct",
    "predict",
    "shapes_of",
]
