"""How many clients compute at the same time, by what they do."""

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from flq_jax.federated.local import LocalUpdate
from flq_jax.federated.sharding import Grouping, in_groups, together

# A group's minibatches, their windows, its models and updates are to stay in the cache.
EXAMPLES_AT_ONCE = 1000
FLOATS_AT_ONCE = 2_000_000
# A group's epochs last as long as its largest client's, and save less than this factor.
UNEVEN = 1.3


def suited(
    local_update: LocalUpdate,
    params: Any,
    mesh: Mesh | None = None,
    sizes: Sequence[int] | None = None,
) -> Grouping:
    """The grouping under which clients that work so are fastest on a CPU.

    Convolutions go client by client, for vmapped ones are grouped convolutions, see
    `convolve`; so do epochs of clients of which one has far more examples than the mean;
    minibatches in groups that leave a core's cache room; and full batches all together,
    for their examples pass through the cache whatever the groups.

    Args:
        local_update: what a client computes.
        params: the model, or its shapes; a tensor of four axes is a convolution's.
        mesh: over which the clients are spread; None for one device.
        sizes: examples of each client; None where all have as many.
    """
    leaves = jax.tree.leaves(params)
    uneven = sizes is not None and max(sizes) * len(sizes) > UNEVEN * sum(sizes)
    if any(leaf.ndim == 4 for leaf in leaves) or (local_update.epochs and uneven):
        return in_groups(1, mesh)
    if not local_update.batch:
        return together
    # A model of each client and its gradient go through every step of those.
    floats = sum(leaf.size for leaf in leaves) * (4 if local_update.own_model else 1)
    fit = min(EXAMPLES_AT_ONCE // local_update.batch, FLOATS_AT_ONCE // floats)
    return in_groups(max(1, fit), mesh)
