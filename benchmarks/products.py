"""A round's products at the rate of large ones: the floor of the machine."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from flq_jax.data.dataset import Dataset
from flq_jax.experiments.assembly.build import Run
from flq_jax.experiments.assembly.setting import setting
from flq_jax.models import layer_costs

_SIDE = 1024


def gradient_operations(model: nn.Module, image: tuple[int, ...]) -> int:
    """Multiplications and additions of one example's gradient.

    Each layer has three products of one size, the output's, the weights' gradient and
    the inputs', which the first layer leaves out. All else is not counted.
    """
    macs = [cost.macs for cost in layer_costs(model, image)]
    return 2 * (3 * sum(macs) - macs[0])


def round_examples(config: ConfigDict, run: Run) -> int:
    """Of how many examples a round of the config's run has gradients."""
    each = run.federation.local_update.examples(jnp.asarray(run.partition.sizes))
    return int(np.sum(each)) * listeners(run) // config.clients


def round_operations(dataset: Dataset, config: ConfigDict, run: Run) -> int:
    """Multiplications and additions of all gradients of a round of the config's run."""
    net = setting(config, dataset).model
    return round_examples(config, run) * gradient_operations(
        net, dataset.train_inputs.shape[1:]
    )


def listeners(run: Run) -> int:
    """How many clients may take part in a round of a run."""
    network = run.federation.network
    plan = jax.eval_shape(network.plan, run.root, network.init(), jnp.int32(0))
    return plan.who.size


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
