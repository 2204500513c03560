"""What the replicas of a mean remember, and where it lies."""

from typing import Any, NamedTuple

import jax
from jax.sharding import PartitionSpec

Axis = str | tuple[str, ...]


class MeanState(NamedTuple):
    """What the replicas remember, as one tree for all of them; see `state_specs`.

    Attributes:
        senders: a replica's end of its own link, leaves [R, ...]; one row on each device.
        receivers: of every link the other end, leaves [R, ...], the same on all devices;
            no leaves with `direct` and `error_feedback`, R d floats with `innovation`.
        round_index: i32[], means taken so far.
    """

    senders: Any
    receivers: Any
    round_index: jax.Array


def state_specs(tree: Any, axis: Axis) -> Any:
    """Where the parts of a tree lie that has `MeanState`s in it, such as optax's state.

    Rows of `senders` lie on one device each along the axis, all else on every device. A
    `PartitionSpec` stands for all leaves below it, as `jax.shard_map` takes them.

    Args:
        tree: any; what is no `MeanState` is taken to be the same on all replicas.
        axis: as in `compressed_mean`.
    """

    def specs(part):
        if not isinstance(part, MeanState):
            return PartitionSpec()
        lies = (PartitionSpec(axis), PartitionSpec(), PartitionSpec())
        return MeanState(*lies)  # pyrefly: ignore[bad-argument-type] specs of arrays

    return jax.tree.map(specs, tree, is_leaf=lambda part: isinstance(part, MeanState))
