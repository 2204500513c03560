"""UVeQFed: lattices with subtractive dither."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.quantizers import draws
from flq_jax.quantizers.base import Layout, Message, Quantizer, never, require_bits
from flq_jax.quantizers.rotation import EXACT
from flq_jax.single import single


class Lattice(NamedTuple):
    """A lattice of cell volume 1.

    Attributes:
        name: of the scheme.
        basis: rows that generate it, f64[l, l].
        nearest: f32[..., l] -> the nearest lattice points, f32[..., l].
        packing: half the least distance of two points.
        covering: the greatest distance from a point of space to the lattice.
    """

    name: str
    basis: np.ndarray
    nearest: Callable[[jax.Array], jax.Array]
    packing: float
    covering: float


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
    the root mean square of x, where the paper has reach = 2 + bits / 5: finer, but blocks
    may lie outside. Those are an overload: they shrink towards zero until they are
    inside, and the bound and the independence do not hold for them.

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
    if lattice not in LATTICES:
        raise ValueError(
            f"uveqfed: lattice must be one of {', '.join(LATTICES)}, got {lattice=}"
        )
    require_bits("uveqfed", bits, low=2)
    if reach is not None and not 0.0 < single(reach) < math.inf:
        raise ValueError(f"uveqfed: reach must be positive and finite, got {reach=}")
    q, shape = 2**bits, LATTICES[lattice]
    name = f"uveqfed-{lattice}{bits}" + ("" if reach is None else f"-{float(reach)}")

    def layout(d):
        return Layout.of(name, bits, d, 1)

    def encode(key, x):
        s = _step(shape, q, reach, x)
        scaled = jnp.where(s > 1e-37, x / jnp.where(s > 1e-37, s, 1.0), 0.0)
        dither = draws.uniform(key, x.shape)
        codes = _each_block(partial(_codes, q), shape, scaled, dither)
        side = jnp.where(s > 1e-37, s, 0.0)[None]
        return Message(codes, side, jnp.int32(layout(x.size).length))

    def decode(key, message):
        (s,) = message.side
        dither = draws.uniform(key, message.codes.shape)
        return s * _each_block(partial(_undithered, q), shape, message.codes, dither)

    def overload(x):
        return _needed(shape, q, x) > _step(shape, q, reach, x)

    fits = reach is None
    return Quantizer(encode, decode, layout, never if fits else overload)


def _needed(lattice: Lattice, q: int, x: jax.Array) -> jax.Array:
    """The least step with which every block of x is inside whatever the dither."""
    needs = [
        jnp.max(jnp.linalg.norm(blocks, axis=1)) / _room(part, q)
        for part, blocks in _blocks(lattice, x)
    ]
    return jnp.max(jnp.stack(needs))


def _step(lattice: Lattice, q: int, reach: float | None, x: jax.Array) -> jax.Array:
    """The step s of `uveqfed`, f32[]."""
    top = jnp.max(jnp.abs(x))
    unit = x / jnp.where(top > 1e-37, top, 1.0)
    if reach is None:
        return top * _needed(lattice, q, unit)
    return 2.0 * reach / q * top * jnp.sqrt(jnp.mean(jnp.square(unit)))


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
    point = _times(codes.astype(jnp.float32), lattice.basis)
    return point - q * lattice.nearest(point / q)


def _undithered(q: int, lattice: Lattice, codes: jax.Array, u: jax.Array) -> jax.Array:
    """The points with these codes, less the dither, f32[n, l]."""
    return point_of(lattice, q, codes) - _dither(lattice, u)


def _codes(q: int, lattice: Lattice, blocks: jax.Array, u: jax.Array) -> jax.Array:
    """Coordinates modulo q of the points nearest to the dithered blocks, u8[n, l]."""
    dithered = blocks + _dither(lattice, u)
    point = lattice.nearest(dithered)
    codes = _coordinates(lattice, q, point)
    # A point outside would come back as another: shrink the block to where all of its
    # roundings lie inside the ball in the cell of q times the lattice.
    outside = jnp.any(jnp.abs(point_of(lattice, q, codes) - point) > 0.25, axis=1)
    norm = jnp.linalg.norm(dithered, axis=1, keepdims=True)
    inner = (q * lattice.packing - lattice.covering) * (1 - 1e-5)
    shrunk = lattice.nearest(dithered * inner / jnp.maximum(norm, inner))
    return jnp.where(outside[:, None], _coordinates(lattice, q, shrunk), codes)


def _coordinates(lattice: Lattice, q: int, point: jax.Array) -> jax.Array:
    coordinates = jnp.round(_times(point, np.linalg.inv(lattice.basis)))
    return (coordinates.astype(jnp.int32) & (q - 1)).astype(jnp.uint8)


def _dither(lattice: Lattice, u: jax.Array) -> jax.Array:
    """Uniform over the cell around 0, f32[n, l], of u uniform over the unit cube."""
    point = _times(u, lattice.basis)
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


def _times(rows: jax.Array, matrix: np.ndarray) -> jax.Array:
    """rows @ matrix, f32[n, l]."""
    return jnp.dot(rows, _f32(matrix), precision=EXACT)


def _f32(matrix: np.ndarray) -> jax.Array:
    return jnp.asarray(matrix, jnp.float32)


def _nearest_hexagonal(x: jax.Array) -> jax.Array:
    """The union of a rectangular lattice and its copy shifted by half a cell."""
    cell = _f32(_HEXAGON * np.array([[1.0, math.sqrt(3.0)]]))[0]
    shape = (1,) * (x.ndim - 1) + (2,)
    return _nearer(x, cell.reshape(shape), lambda y: jnp.round(y))


def _nearest_even(x: jax.Array) -> jax.Array:
    """Integers with an even sum: if it is odd, the worst rounded one turns."""
    rounded = jnp.round(x)
    error = x - rounded
    worst = jnp.argmax(jnp.abs(error), axis=-1, keepdims=True)
    here = jnp.arange(x.shape[-1]).reshape((1,) * (x.ndim - 1) + (-1,)) == worst
    turned = jnp.where(error >= 0.0, 1.0, -1.0)
    half = 0.5 * jnp.sum(rounded, axis=-1, keepdims=True)
    odd = half != jnp.floor(half)
    return rounded + jnp.where(here & odd, turned, 0.0)


def _nearest_e8(x: jax.Array) -> jax.Array:
    """D8 and its copy shifted by a half in each coordinate."""
    return _nearer(x, jnp.ones((1,) * x.ndim), _nearest_even)


def _nearer(
    x: jax.Array, cell: jax.Array, nearest: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """The nearer of the points in `cell` times a lattice, and in it shifted by a half."""
    one = cell * nearest(x / cell)
    other = cell * (nearest(x / cell - 0.5) + 0.5)
    distances = [_squared_norm(x - p) for p in (one, other)]
    return jnp.where(distances[0] <= distances[1], one, other)


def _squared_norm(x: jax.Array) -> jax.Array:
    """Of f32[..., l], f32[..., 1]."""
    squares = jnp.square(x)
    if x.shape[-1] == 2:  # XLA:CPU reduces pairs one after another, but adds many
        return squares[..., :1] + squares[..., 1:]
    return jnp.sum(squares, axis=-1, keepdims=True)


_HEXAGON = math.sqrt(2.0 / math.sqrt(3.0))  # the least distance at volume 1
_D3 = 2.0 ** (-1.0 / 3.0)
_E8_BASIS = np.array(
    [[2.0] + 7 * [0.0]]
    + [[0.0] * i + [-1.0, 1.0] + [0.0] * (6 - i) for i in range(6)]
    + [8 * [0.5]]
)
LATTICES = {
    "scalar": Lattice("scalar", np.eye(1), jnp.round, 0.5, 0.5),
    "hexagonal": Lattice(
        "hexagonal",
        _HEXAGON * np.array([[1.0, 0.0], [0.5, math.sqrt(0.75)]]),
        _nearest_hexagonal,
        _HEXAGON / 2.0,
        _HEXAGON / math.sqrt(3.0),
    ),
    "d3": Lattice(
        "d3",
        _D3 * np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]),
        lambda x: _D3 * _nearest_even(x / _D3),
        _D3 / math.sqrt(2.0),
        _D3,
    ),
    "e8": Lattice("e8", _E8_BASIS, _nearest_e8, math.sqrt(0.5), 1.0),
}
