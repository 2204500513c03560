"""Models and their loss: Linen modules of low-bit layers."""

from flq_jax.models.cnn import CNN, mcmahan_cnn
from flq_jax.models.conv import QuantConv
from flq_jax.models.costs import LayerCost, layer_costs
from flq_jax.models.layers import Bits, QuantDense
from flq_jax.models.logistic import Logistic
from flq_jax.models.loss import classification_loss, num_correct, predict
from flq_jax.models.lstm import CharLSTM, QuantLSTM
from flq_jax.models.mlp import MLP
from flq_jax.models.resnet import ResNet, resnet8, resnet18, resnet20
from flq_jax.models.shapes import shapes_of
from flq_jax.models.stateless import initial_params, require_stateless
from flq_jax.models.svhn import SVHNNet
from flq_jax.models.transformer import Transformer
from flq_jax.models.vgg import VGG, vgg9

__all__ = [
    "CNN",
    "MLP",
    "VGG",
    "Bits",
    "CharLSTM",
    "LayerCost",
    "Logistic",
    "QuantConv",
    "QuantDense",
    "QuantLSTM",
    "ResNet",
    "SVHNNet",
    "Transformer",
    "classification_loss",
    "initial_params",
    "layer_costs",
    "mcmahan_cnn",
    "num_correct",
    "predict",
    "shapes_of",
    "require_stateless",
    "resnet8",
    "resnet18",
    "resnet20",
    "vgg9",
]
