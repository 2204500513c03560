"""How many clients compute at the same time, by what they do."""

from typing import Any

import jax
from jax.sharding import Mesh

from flq_jax.federated.groups import Grouping, in_groups, together
from flq_jax.federated.local import LocalUpdate

# A group's minibatches, their windows, its models and updates are to stay in the cache.
EXAMPLES_AT_ONCE = 1000
FLOATS_AT_ONCE = 2_000_000


def suited(
    local_update: LocalUpdate, params: Any, mesh: Mesh | None = None
) -> Grouping:
    """The grouping under which clients that work so are fastest on a CPU.

    Convolutions go client by client, for vmapped ones are grouped convolutions, see
    `convolve`; minibatches in groups that leave a core's cache room; and full batches
    all together, for their examples pass through the cache whatever the groups.

    Args:
        local_update: what a client computes.
        params: the model, or its shapes; a tensor of four axes is a convolution's.
        mesh: over which the clients are spread; None for one device.
    """
    leaves = jax.tree.leaves(params)
    if any(leaf.ndim == 4 for leaf in leaves):
        return in_groups(1, mesh)
    if not local_update.batch:
        return together
    # A model of each client and its gradient go through every step of those.
    floats = sum(leaf.size for leaf in leaves) * (4 if local_update.own_model else 1)
    fit = min(EXAMPLES_AT_ONCE // local_update.batch, FLOATS_AT_ONCE // floats)
    return in_groups(max(1, fit), mesh)
