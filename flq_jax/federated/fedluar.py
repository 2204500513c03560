"""FedLUAR: layers that are not sent in a round, but repeat their last update."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from flq_jax.arguments import require_instance, require_integer
from flq_jax.federated.local import LocalUpdate

SMALLEST = 1e-6  # added to norms of layers, as in the authors' code


class Recycled(NamedTuple):
    """A model and which of its layers are to be sent.

    Attributes:
        model: the model's params.
        sent: 1 for a layer that is sent, 0 for one that repeats its update, f32[l].
    """

    model: Any
    sent: jax.Array


class Recycling(NamedTuple):
    """What the server remembers.

    Attributes:
        optimizer: the state of the model's.
        mean: the update of each layer when it was sent last, f32[d].
        scores: s, of each layer's step then, f32[l].
    """

    optimizer: Any
    mean: jax.Array
    scores: jax.Array


def fedluar(
    work: LocalUpdate,
    count: int,
    shapes: Sequence[tuple[int, ...]],
    *,
    seed: int = 0,
) -> LocalUpdate:
    """Layer-wise update recycling (Kim, Kang and Lee 2025, FedLUAR).

    In each round `count` of the l layers are recycled: clients leave them out of their
    updates, and the server steps against the mean update of the last round in which they were
    sent. With s_l = ||step_l|| / ||x_l|| of the layer's last step that was of an update sent,
    and of its weights before it, the layers of the next round are drawn without replacement
    with chances

        p_l = (1 / s_l) / sum_j (1 / s_j),

    after a first round in which all are sent. A layer is a tensor of two or more dimensions;
    biases are always sent. The server broadcasts the model and which layers it wants, l
    numbers; an update has 0 in place of what is left out, and for l more coordinates:

        direct(entropy_coded(apart(segmented(identity())))) sends 33 bits of each.

    Read in the authors' public code (swblaster/FedLUAR, solvers/fedluar.py), which averages
    models, so that its recycled update is the step itself; here an optimizer may step
    against it.

    Args:
        work: what a client computes, a `LocalUpdate`, else TypeError, that broadcasts the
            model alone and has no sums to keep, unlike `scaffold` and `feddyn`; ValueError
            otherwise.
        count: of recycled layers, 1 to l - 1; ValueError otherwise.
        shapes: of the model's tensors, in the order of its leaves; two or more must be
            layers, ValueError otherwise, also from a model of other shapes.
        seed: of the draws, 0 or more; ValueError otherwise.

    Returns:
        What is broadcast is a `Recycled`; the loss is that of the work.
    """
    require_instance("fedluar", "work", work, LocalUpdate)
    plain = LocalUpdate(work.update)
    if work.settle is not None or work.broadcast is not plain.broadcast:
        raise ValueError(
            "fedluar: work must broadcast the model alone, as local_epochs and fedprox"
        )
    require_integer("fedluar", "seed", seed, 0)
    shapes = as_shapes("fedluar", shapes)
    layers = [len(shape) > 1 for shape in shapes]
    if sum(layers) < 2:
        raise ValueError(
            "fedluar: shapes must be of two or more tensors of two dimensions, to recycle "
            f"some of them, got {shapes}"
        )
    require_integer("fedluar", "count", count, 1, sum(layers) - 1)

    def broadcast(model):
        require_shapes("fedluar", shapes, model)
        return Recycled(model, jnp.ones(sum(layers)))

    def update(key, params, shard, memory):
        loss, moved, memory = work.update(key, params.model, shard, memory)
        leaves, tree = jax.tree.flatten(moved)
        flags = iter(params.sent)
        kept = [  # 0 itself: a product with 0 has a sign
            jnp.where(next(flags) > 0.0, leaf, 0.0) if layer else leaf
            for leaf, layer in zip(leaves, layers)
        ]
        sent = Recycled(tree.unflatten(kept), jnp.zeros_like(params.sent))
        return loss, sent, memory

    return work._replace(
        update=update,
        init=lambda params: work.init(params.model),
        broadcast=broadcast,
        model=lambda params: params.model,
        server=lambda optimizer: recycling(
            work.server(optimizer), count, shapes, seed=seed
        ),
    )


def recycling(
    optimizer: optax.GradientTransformation,
    count: int,
    shapes: Sequence[tuple[int, ...]],
    *,
    seed: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """The optimizer of x against updates of which some layers repeat, of (x, sent) as one."""
    of_model = optax.with_extra_args_support(optimizer)
    sizes = [prod(shape) for shape in shapes]
    layers = [len(shape) > 1 for shape in shapes]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    d, root = ends[-1], jax.random.key(seed)

    def norms(x):
        """||x_l|| of each layer, f32[l]."""
        parts = [part for part, layer in zip(jnp.split(x, ends[:-1]), layers) if layer]
        return jnp.stack([jnp.linalg.norm(part) for part in parts])

    def everywhere(sent):
        """Whether each coordinate was sent, bool[d]."""
        flags = iter(sent > 0.0)
        each = [next(flags) if layer else jnp.ones((), bool) for layer in layers]
        return jnp.concatenate(
            [jnp.broadcast_to(flag, size) for flag, size in zip(each, sizes)]
        )

    def init(params):
        model = params[:d]
        scores = jnp.ones(params.size - d)
        return Recycling(of_model.init(model), jnp.zeros_like(model), scores)

    def update(updates, state, params, *, round_index, **others):
        model, sent = params[:d], params[d:]
        mean = jnp.where(everywhere(sent), updates[:d], state.mean)
        step, inner = of_model.update(
            mean, state.optimizer, model, round_index=round_index, **others
        )
        score = norms(step) / (norms(model) + SMALLEST)
        scores = jnp.where(sent > 0.0, score, state.scores)
        wanted = drawn_layers(jax.random.fold_in(root, round_index), scores, count)
        # pyrefly: ignore[bad-argument-type] of one vector
        moved = jnp.concatenate([step, wanted - sent])
        return moved, Recycling(inner, mean, scores)

    # pyrefly: ignore[bad-argument-type] `round_index` is always told, see `serve`
    return optax.GradientTransformationExtraArgs(init, update)


def drawn_layers(key: jax.Array, scores: jax.Array, count: int) -> jax.Array:
    """0 for `count` layers drawn one after another with chances as 1 / s, 1 else, f32[l].

    The largest of log(1 / s_l) + g_l, g of Gumbel's distribution, are such a draw.
    """
    chances = -jnp.log(jnp.maximum(scores, 1e-30))
    _, recycled = jax.lax.top_k(chances + jax.random.gumbel(key, scores.shape), count)
    return jnp.ones_like(scores).at[recycled].set(0.0)


def as_shapes(where: str, shapes: Any) -> list[tuple[int, ...]]:
    """Shapes as tuples of integers; ValueError if they are none."""
    try:
        return [tuple(int(size) for size in shape) for shape in shapes]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: shapes must be of the model's tensors, got {shapes!r}"
        ) from error


def require_shapes(where: str, shapes: list[tuple[int, ...]], model: Any) -> None:
    """Raises ValueError unless the shapes are those of the model's leaves."""
    found = [jnp.shape(leaf) for leaf in jax.tree.leaves(model)]
    if found != shapes:
        raise ValueError(
            f"{where}: shapes must be those of the model, {found}, got {shapes}"
        )
