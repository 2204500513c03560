"""A few clients at a time, and on each device its own."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from flq_jax.data.flat import Pool
from flq_jax.federated.sharding import AXIS

# (function, *given, sums=False) -> grouped, see `in_groups`
Grouping = Callable[..., Callable]


def together(function: Callable, *given: Any, sums: bool = False) -> Callable:
    """All clients are one group, see `in_groups`."""
    del sums  # that of the one group is the sum
    return lambda *rows: function(*given, *rows)


def in_groups(size: int, mesh: Mesh | None = None) -> Grouping:
    """Takes a few clients at a time: the same rows in less memory.

    It is faster, too, where a group's examples and updates stay in the cache from the
    operation that writes them to the one that reads them. On several devices each has
    groups of its own, and does what one device would do with them alone, whether the
    clients can be shared out evenly or not.

    Args:
        size: clients of one device at a time, at most: they are as many as divide the
            number of clients and keep no device waiting; 1 or more, ValueError
            otherwise.
        mesh: over which the clients are spread; None for one device.

    Returns:
        (function, *given, sums=False) -> grouped. The function takes pytrees `given`
        and a group's rows, leading axis [g], and gives rows: g of them (a `jax.vmap`) or
        one (a sum over the group). `grouped` takes the rows of all clients, and joins
        what the groups give. Of a given `Pool` in blocks each device has its own. With
        `sums` the function gives (a pytree to be added over the groups, rows, what takes
        the place of its first rows, in which nothing is copied). Whatever was computed from arrays that lie on the mesh must be given: a device's program
        cannot be closed over it.
    """
    if size < 1:
        raise ValueError(f"in_groups: size must be 1 or more, got {size=}")
    devices = 1 if mesh is None else mesh.size

    def grouping(function, *given, sums=False):
        def each(given, renewed, rows):
            if sums:
                return function(*given, renewed, *rows)
            return (), function(*given, *rows), ()

        def grouped(*rows):
            count = jax.tree.leaves(rows)[0].shape[0]
            fits = group_size(size, count, devices)
            if devices == 1 and fits == count:
                return function(*given, *rows)
            renewed, others = (rows[0], rows[1:]) if sums else ((), rows)
            if mesh is None or devices == 1:
                found = _one_device(each, fits, given, renewed, others)
            else:
                found = _each_device(each, fits, mesh, given, renewed, others)
            return found if sums else found[1]

        return grouped

    return grouping


def group_size(most: int, count: int, devices: int) -> int:
    """How many of `count` clients a device takes at a time, at most `most`.

    All groups are equal. Of the sizes by which the busiest device has the fewest clients
    it is the largest.
    """
    sizes = [n for n in range(1, min(most, count) + 1) if count % n == 0]
    return min(sizes, key=lambda n: (-(-count // n // devices) * n, -n))


def _one_device(
    function: Callable,
    size: int,
    given: tuple,
    renewed: Any,
    rows: tuple,
    groups: jax.Array | None = None,
) -> tuple[Any, Any, Any]:
    """(the sum over groups of `size`, their rows joined, what is renewed).

    What is renewed stays where it is from group to group. Of groups from number `groups`
    on, i32[], nothing is computed, and all else is 0.

    Args:
        function: (given, a group of the renewed, a group of the rows) -> those three.
    """
    count = jax.tree.leaves(rows)[0].shape[0] // size

    def grouped(tree):
        return jax.tree.map(
            lambda leaf: leaf.reshape(count, size, *leaf.shape[1:]), tree
        )

    def joined(tree):
        return jax.tree.map(lambda leaf: lax.collapse(leaf, 0, 2), tree)

    def at(tree, index):
        return jax.tree.map(
            lambda leaf: lax.dynamic_index_in_dim(leaf, index, keepdims=False), tree
        )

    each = jax.jit(function)  # traced once: for the shapes, and in the loop
    renewed, rows = grouped(renewed), grouped(rows)
    shapes = jax.eval_shape(each, given, at(renewed, 0), at(rows, 0))
    part, found, _ = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes
    )

    def step(carry, numbered):
        total, renewed = carry
        index, group = numbered
        before = at(renewed, index)
        if groups is None:
            more, said, after = each(given, before, group)
        else:
            more, said, after = lax.cond(
                *(index < groups, each, lambda _, before, __: (part, found, before)),
                *(given, before, group),
            )
        renewed = jax.tree.map(
            lambda leaf, new: lax.dynamic_update_index_in_dim(leaf, new, index, 0),
            *(renewed, after),
        )
        return (jax.tree.map(jnp.add, total, more), renewed), said

    (total, renewed), found = lax.scan(step, (part, renewed), (jnp.arange(count), rows))
    return total, joined(found), joined(renewed)


def _each_device(
    function: Callable, size: int, mesh: Mesh, given: tuple, renewed: Any, rows: tuple
) -> tuple[Any, Any, Any]:
    """The same of groups that are shared out over the devices in order.

    Devices that have a group less than others skip one.
    """
    count = jax.tree.leaves(rows)[0].shape[0]
    groups = count // size
    here = -(-groups // mesh.size)
    spare = here * mesh.size - groups

    def padded(leaf):
        return jnp.pad(leaf, [(0, spare * size)] + [(0, 0)] * (leaf.ndim - 1))

    def device(given, renewed, mine):
        left = groups - lax.axis_index(AXIS) * here if spare else None
        total, *found = _one_device(function, size, given, renewed, mine, left)
        return lax.psum(total, AXIS), *found

    everywhere, by_clients = PartitionSpec(), PartitionSpec(AXIS)

    def is_pool(part):
        return isinstance(part, Pool)

    def lies(part):
        return by_clients if is_pool(part) and part.blocks > 1 else everywhere

    of_given = jax.tree.map(lies, given, is_leaf=is_pool)
    spread = jax.shard_map(
        device,
        mesh=mesh,
        in_specs=(of_given, by_clients, by_clients),
        out_specs=(everywhere, by_clients, by_clients),
        check_vma=False,
    )
    both = renewed, rows
    total, *found = spread(given, *(jax.tree.map(padded, both) if spare else both))
    return total, *jax.tree.map(
        lambda leaf: leaf[: leaf.shape[0] // (here * mesh.size) * groups], found
    )
