"""UVeQFed: lattices with subtractive dither."""

import itertools
import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.arguments import require_choice
from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, never, require_bits
from flq_jax.quantizers.lattices import LATTICES, Lattice, times
from flq_jax.quantizers.ranges import normalised, rms
from flq_jax.single import single


def uveqfed(
    lattice: str = "hexagonal", bits: int = 4, reach: float | None = None
) -> Quantizer:
    """Subtractive dither on a lattice (Shlezinger et al. 2020).

    The entries of x / s make blocks of l; u is uniform over the lattice's cell, and both
    ends draw it:

        p = Q(x / s + u),   x_hat = s (p - u).

    The error is then uniform over the cell, E[x_hat] = x, and independent of x, with
    E||x - x_hat||^2 = G d s^2: G = 1/12 for integers, 0.0802 for hexagons, 0.0787 for D3
    and 0.0717 for E8, all of cell volume 1. A block's code is its point modulo q = 2**bits
    times the lattice (Conway and Sloane 1983): bits l bits, and the q^l points nearest to
    zero. Entries left over at the end are rounded to integers, modulo q.

    The step s = K / (q rho - 2 R), with K the greatest norm of a block, rho the packing
    and R the covering radius, lets no point lie outside those. Or s = 2 reach / q times
    the root mean square of x, where the paper has reach = 2 + bits / 5: finer, but points
    may lie outside. Their blocks shrink towards zero until they are inside, and the bound
    and the independence do not hold for them.

    It is an overload if a dither could take some block outside. With V the cell, the
    points that a block b is rounded to are those within b + 2V, one for each of the 2^l
    classes modulo 2, and all of them are looked at; but for E8, which has 256: there
    x is called an overload if any b + 2V is not inside q V, that is b not in (q - 2) V,
    though of its outermost part no point might be.

    The paper codes the points by their entropy, see `flq_jax.entropy`; with the first
    step most are near zero.

    Args:
        lattice: "scalar", "hexagonal", "d3" or "e8"; ValueError otherwise.
        bits: of an entry's code, 2 to 8; ValueError otherwise.
        reach: half the width of the range in root mean squares, above 0; ValueError
            otherwise. None: no overload.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes, coordinates in the lattice's
        basis modulo q, and f32[1] side = s; bits d + 32 bits. x = 0 decodes to exactly 0.
    """
    require_choice("uveqfed", "lattice", lattice, LATTICES)
    require_bits("uveqfed", bits, low=2)
    if reach is not None and not 0.0 < single(reach) < math.inf:
        raise ValueError(f"uveqfed: reach must be positive and finite, got {reach=}")
    q, shape = 2**bits, LATTICES[lattice]
    name = f"uveqfed-{lattice}{bits}" + ("" if reach is None else f"-{float(reach)}")

    def layout(d):
        return Layout.of(name, bits, d, 1)

    def encode(key, x):
        s = _step(shape, q, reach, x)
        dither = draws.uniform(key, x.shape)
        codes = _each_block(partial(_codes, q), shape, _over(x, s), dither)
        return Message(codes, s[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        (s,) = message.side
        dither = draws.uniform(key, message.codes.shape)
        return s * _each_block(partial(_undithered, q), shape, message.codes, dither)

    def overload(x):
        blocks = _blocks(shape, _over(x, _step(shape, q, reach, x)))
        return jnp.any(jnp.stack([_may_leave(q, *part) for part in blocks]))

    fits = reach is None
    return Quantizer(encode, decode, layout, never if fits else overload)


def _step(lattice: Lattice, q: int, reach: float | None, x: jax.Array) -> jax.Array:
    """The step s of `uveqfed`, f32[]; 0 if it is below 1e-37, nearly no normal float."""
    if reach is None:
        unit, top = normalised(x)
        s = top * _needed(lattice, q, unit)
    else:
        s = 2.0 * reach / q * rms(x)
    return jnp.where(s < 1e-37, 0.0, s)


def _needed(lattice: Lattice, q: int, x: jax.Array) -> jax.Array:
    """The least step with which every block of x is inside whatever the dither."""
    needs = [
        jnp.max(jnp.linalg.norm(blocks, axis=1)) / _room(part, q)
        for part, blocks in _blocks(lattice, x)
    ]
    return jnp.max(jnp.stack(needs))


def _over(x: jax.Array, s: jax.Array) -> jax.Array:
    """x / s; 0 where there is no step."""
    return jnp.where(s == 0.0, 0.0, x / jnp.where(s == 0.0, 1.0, s))


def _each_block(
    function: Callable[..., jax.Array], lattice: Lattice, *vectors: jax.Array
) -> jax.Array:
    """function(lattice, blocks of each vector) of all blocks, in one vector."""
    parts = zip(*(_blocks(lattice, vector) for vector in vectors))
    results = [
        function(alike[0][0], *(blocks for _, blocks in alike)) for alike in parts
    ]
    return jnp.concatenate([result.reshape(-1) for result in results])


def point_of(lattice: Lattice, q: int, codes: jax.Array) -> jax.Array:
    """The point with these coordinates modulo q that is nearest to 0, f32[n, l]."""
    point = times(codes.astype(jnp.float32), lattice.basis)
    return point - q * lattice.nearest(point / q)


def _undithered(q: int, lattice: Lattice, codes: jax.Array, u: jax.Array) -> jax.Array:
    """The points with these codes, less the dither, f32[n, l]."""
    return point_of(lattice, q, codes) - _dither(lattice, u)


def _codes(q: int, lattice: Lattice, blocks: jax.Array, u: jax.Array) -> jax.Array:
    """Coordinates modulo q of the points nearest to the dithered blocks, u8[n, l]."""
    dithered = blocks + _dither(lattice, u)
    point = lattice.nearest(dithered)
    codes = _coordinates(lattice, q, point)
    # Shrink a block to where all of its roundings lie inside the ball in the cell of q
    # times the lattice.
    outside = _is_outside(lattice, q, point)
    norm = jnp.linalg.norm(dithered, axis=1, keepdims=True)
    inner = (q * lattice.packing - lattice.covering) * (1 - 1e-5)
    shrunk = lattice.nearest(dithered * inner / jnp.maximum(norm, inner))
    return jnp.where(outside[:, None], _coordinates(lattice, q, shrunk), codes)


def _is_outside(lattice: Lattice, q: int, point: jax.Array) -> jax.Array:
    """Whether points would come back as others, bool[n]."""
    back = point_of(lattice, q, _coordinates(lattice, q, point))
    return jnp.any(jnp.abs(back - point) > 0.25, axis=1)


def _may_leave(q: int, lattice: Lattice, blocks: jax.Array) -> jax.Array:
    """Whether some block has a rounding outside for some dither, bool[]; see `uveqfed`."""
    size = len(lattice.basis)
    if size > 3:
        return jnp.any(jnp.abs(lattice.nearest(blocks / (q - 2))) > 0.25)
    classes = np.array(list(itertools.product((0.0, 1.0), repeat=size))) @ lattice.basis
    some = jnp.asarray(classes, jnp.float32)[:, None]
    points = some + 2.0 * lattice.nearest(0.5 * (blocks[None] - some))
    return jnp.any(_is_outside(lattice, q, points.reshape(-1, size)))


def _coordinates(lattice: Lattice, q: int, point: jax.Array) -> jax.Array:
    coordinates = jnp.round(times(point, np.linalg.inv(lattice.basis)))
    return (coordinates.astype(jnp.int32) & (q - 1)).astype(jnp.uint8)


def _dither(lattice: Lattice, u: jax.Array) -> jax.Array:
    """Uniform over the cell around 0, f32[n, l], of u uniform over the unit cube."""
    point = times(u, lattice.basis)
    return point - lattice.nearest(point)


def _room(lattice: Lattice, q: int) -> float:
    """Blocks of this norm are inside whatever the dither."""
    return q * lattice.packing - 2.0 * lattice.covering


def _blocks(lattice: Lattice, x: jax.Array) -> list[tuple[Lattice, jax.Array]]:
    """x as [n, l], and what is left over as [d - n l, 1]; neither is empty."""
    size = len(lattice.basis)
    whole = x.size // size * size
    parts = [(lattice, x[:whole].reshape(-1, size))] if whole else []
    rest = [(LATTICES["scalar"], x[whole:].reshape(-1, 1))] if whole < x.size else []
    return parts + rest
