"""What a mean of messages refuses, in one line each."""

from typing import Any

import jax
from jax import lax

from flq_jax.arguments import require_integer
from flq_jax.collectives.state import Axis, MeanState
from flq_jax.compressors import Compressor
from flq_jax.quantizers import Layout


def require_arguments(link: Any, axis: Any, replicas: Any) -> None:
    """Raises what `compressed_mean` says of its arguments."""
    if not isinstance(link, Compressor):
        name = getattr(link, "__name__", type(link).__name__)
        raise TypeError(
            "compressed_mean: needs a compressor or a quantizer, such as "
            f"error_feedback(sign()), got {name}"
        )
    if link.silent:
        raise ValueError(
            "compressed_mean: takes no link that may be silent (lazy, clag): what is "
            "gathered has one shape, and silence would cross as a whole message"
        )
    names = axis if isinstance(axis, tuple) else (axis,)
    if axis is not None and not (
        names and all(isinstance(name, str) for name in names)
    ):
        raise ValueError(
            f"compressed_mean: axis must be a mesh axis, several or None, got {axis=}"
        )
    most = {"high": 1} if axis is None else {}
    require_integer("compressed_mean", "replicas", replicas, 1, **most)


def require_one_length(layout: Layout) -> Layout:
    """The layout; ValueError unless all its messages are of one length."""
    if layout.options or layout.coded:
        raise ValueError(
            "compressed_mean: takes no link whose messages have lengths of their own "
            "(one_of, warm_up, marina, entropy_coded): what is gathered has one shape, got "
            f"{layout.scheme}"
        )
    return layout


def place(axis: Axis | None, replicas: int) -> jax.Array | int:
    """Which replica this is; ValueError unless there are so many along the axis."""
    if axis is None:
        return 0
    try:
        size = lax.axis_size(axis)
    except NameError:
        raise ValueError(
            f"compressed_mean: must be applied where the axis {axis!r} is mapped, inside "
            "jax.shard_map"
        ) from None
    if size != replicas:
        raise ValueError(
            f"compressed_mean: the axis {axis!r} must have {replicas=} devices, got {size}"
        )
    return lax.axis_index(axis)


def require_row(state: MeanState, of_all: MeanState, axis: Axis | None) -> None:
    """Raises ValueError unless the state is what `init` gave, and one row of its senders."""
    row = jax.tree.map(lambda leaf: leaf.update(shape=(1, *leaf.shape[1:])), of_all[0])
    wanted, came = (
        [f"{leaf.dtype}{[*leaf.shape]}" for leaf in jax.tree.leaves(tree)]
        for tree in (of_all._replace(senders=row), state)
    )
    if wanted != came:
        raise ValueError(
            "compressed_mean: the state must be that of init(tree), its senders shared out "
            f"as state_specs(state, {axis!r}) says: {', '.join(wanted)}, got "
            f"{', '.join(came)}"
        )
