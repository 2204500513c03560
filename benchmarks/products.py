"""A round's products at the rate of large ones: the floor of the machine."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import classifier
from flq_jax.models import layer_costs

_SIDE = 1024


def gradient_operations(model: nn.Module, image: tuple[int, ...]) -> int:
    """Multiplications and additions of one example's gradient.

    Each layer has three products of one size, the output's, the weights' gradient and
    the inputs', which the first layer leaves out. All else is not counted.
    """
    macs = [cost.macs for cost in layer_costs(model, image)]
    return 2 * (3 * sum(macs) - macs[0])


def round_operations(dataset: Dataset, config: ConfigDict) -> int:
    """Multiplications and additions of all gradients of a config's round."""
    examples = config.clients * config.client.batch
    if config.client.epochs:
        heard = config.sampled or config.clients
        examples = config.client.epochs * len(dataset.train_labels) * heard
        examples //= config.clients
    net = classifier(config.model, dataset.num_classes)
    return examples * gradient_operations(net, dataset.train_inputs.shape[1:])


def products(operations: float) -> Callable[[], object]:
    """So many operations, in products of f32[1024, 1024] with themselves, in one call.

    The last is cut short by rows, so that the count is exact to a row's 2 * 1024^2.
    """
    rows = max(1, round(operations / (2 * _SIDE**2)))
    whole, rest = divmod(rows, _SIDE)
    a = jnp.asarray(np.eye(_SIDE, k=1, dtype=np.float32))

    @jax.jit
    def multiply(a):
        for_all = jax.lax.fori_loop(0, whole, lambda _, x: x @ a, a)
        return for_all[:rest] @ a if rest else for_all

    return lambda: jax.block_until_ready(multiply(a))
