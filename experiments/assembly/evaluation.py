"""What a classifier is judged by while its run goes on."""

from collections.abc import Callable

import flax.linen as nn
import jax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from flq_jax import models
from flq_jax.simulation.evaluation import totals


def hits(model: nn.Module, mesh: Mesh) -> Callable[..., dict[str, jax.Array]]:
    """How many test examples get their label, see `totals`.

    Args:
        model: as it is tested.
        mesh: the devices that the clients are spread over.
    """

    def correct(params, inputs, labels):
        return models.predict(model, params, inputs) == labels

    judge = totals({"test_accuracy": correct})
    if not model.packed:
        return judge
    # XLA cannot spread a TPU's own kernels over devices.
    return jax.shard_map(judge, mesh=mesh, in_specs=P(), out_specs=P(), check_vma=False)
