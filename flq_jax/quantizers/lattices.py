"""Lattices of cell volume 1, and the point of each that is nearest."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.precision import EXACT


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


def times(rows: jax.Array, matrix: np.ndarray) -> jax.Array:
    """rows @ matrix, f32[n, l], with products of full precision."""
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
