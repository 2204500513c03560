"""Where a convolution's window lies: strides, dilations, padding, and its taps."""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Pair = tuple[int, int]
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


class Geometry(NamedTuple):
    """The static part of a two-dimensional convolution, resolved.

    Attributes:
        kernel: rows and columns of the window.
        stride: steps of the window.
        dilation: steps between the window's taps.
        padding: ((top, bottom), (left, right)) positions of value 0 around the image.
        size: rows and columns of the image.
        out: rows and columns of the result.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: tuple[Pair, Pair]
    size: Pair
    out: Pair


def resolve(
    size: Pair,
    kernel: Pair,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    padding: str | Sequence[Pair] = "SAME",
) -> Geometry:
    """The `Geometry` of a window of `kernel` taps over an image of `size`.

    Args:
        size: rows and columns of the image.
        kernel: rows and columns of the window.
        stride: 1 or more, for both axes or each; ValueError otherwise.
        dilation: 1 or more, likewise.
        padding: "VALID": none; "SAME": ceil(size / stride) results, what is odd goes to
            the end; or ((top, bottom), (left, right)), each 0 or more. ValueError
            otherwise, or if the window does not fit the padded image.
    """
    stride, dilation = _pair("stride", stride), _pair("dilation", dilation)
    extent = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel))
    padding = _padding(size, extent, stride, padding)
    room = tuple(n + sum(p) - e for n, p, e in zip(size, padding, extent))
    if min(room) < 0:
        raise ValueError(
            f"bit_conv: the window of {extent} must fit the padded image, got "
            f"{size=} with {padding=}"
        )
    rows, columns = (r // s + 1 for r, s in zip(room, stride))
    out = rows, columns
    return Geometry(tuple(kernel), stride, dilation, padding, tuple(size), out)


def _pair(name: str, value: int | Pair) -> Pair:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= 1 for v in pair):
        raise ValueError(
            f"bit_conv: {name} must be an integer of 1 or more, or two of them, got "
            f"{name}={value}"
        )
    return pair


def _padding(size, extent, stride, padding) -> tuple[Pair, Pair]:
    if padding == "VALID":
        return ((0, 0), (0, 0))
    if padding == "SAME":
        down, across = (
            max((-(-n // s) - 1) * s + e - n, 0)
            for n, e, s in zip(size, extent, stride)
        )
        return (down // 2, down - down // 2), (across // 2, across - across // 2)
    if isinstance(padding, str) or np.shape(padding) != (2, 2) or np.min(padding) < 0:
        raise ValueError(
            "bit_conv: padding must be 'SAME', 'VALID' or ((top, bottom), (left, "
            f"right)) of 0 or more, got {padding=}"
        )
    (top, bottom), (left, right) = padding
    return (int(top), int(bottom)), (int(left), int(right))


def taps(x: jax.Array, geometry: Geometry) -> Iterator[jax.Array]:
    """For each tap of the window, row by row, what it sees, x[..., ho, wo, c].

    Args:
        x: [..., h, w, c] of any dtype; padded positions read 0.
        geometry: of this image.
    """
    lead = x.ndim - 3
    padded = jnp.pad(x, [(0, 0)] * lead + list(geometry.padding) + [(0, 0)])
    for i in range(geometry.kernel[0]):
        for j in range(geometry.kernel[1]):
            start = (i * geometry.dilation[0], j * geometry.dilation[1])
            stop = (
                first + stride * (n - 1) + 1
                for first, stride, n in zip(start, geometry.stride, geometry.out)
            )
            rows, columns = map(slice, start, stop, geometry.stride)
            yield padded[..., rows, columns, :]


def seen(window: jax.Array, i, j, batch: int, geometry: Geometry):
    """The pixel that a window sees at the tap (i, j), and whether it lies in the image.

    Args:
        window: i32[...], numbered through images, rows and columns of the result.
        i: row of the tap; j: its column; both broadcast against the windows.
        batch: how many images there are.
        geometry: of the convolution.

    Returns:
        i32[...], numbered through images, rows and columns, and bool[...].
    """
    (height, width), (down, right) = geometry.size, geometry.out
    image, rest = lax.div(window, down * right), lax.rem(window, down * right)
    row = _position(lax.div(rest, right), i, 0, geometry)
    column = _position(lax.rem(rest, right), j, 1, geometry)
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = (image * height + row) * width + column
    return pixel, inside & (image < batch)


def _position(out: jax.Array, tap, axis: int, geometry: Geometry) -> jax.Array:
    first = out * geometry.stride[axis] - geometry.padding[axis][0]
    return first + tap * geometry.dilation[axis]


def as_windows(conv: Callable, a: jax.Array, b: jax.Array, **options) -> jax.Array:
    """A product by a convolution: a row is an image of one pixel, a column an output.

    Args:
        conv: (i32[k, m, 1, 1, p], i32[l, 1, 1, p, n], geometry=, **options) ->
            i32[m, 1, 1, n].
        a: i32[k, m, p].
        b: i32[l, p, n].
        **options: of conv.

    Returns:
        i32[m, n].
    """
    one_pixel = resolve((1, 1), (1, 1))
    x, w = a[:, :, None, None], b[:, None, None]
    return conv(x, w, geometry=one_pixel, **options)[:, 0, 0]


def validity(geometry: Geometry, axis: int) -> np.ndarray:
    """Whether a tap lies inside the image along one axis, i32[out, kernel] of 0, 1."""
    first = np.arange(geometry.out[axis])[:, None] * geometry.stride[axis]
    tap = np.arange(geometry.kernel[axis])[None, :] * geometry.dilation[axis]
    position = first + tap - geometry.padding[axis][0]
    inside = (0 <= position) & (position < geometry.size[axis])
    return inside.astype(np.int32)


def inside_sums(per_tap: jax.Array, geometry: Geometry) -> jax.Array:
    """Sums over those taps that lie inside the image.

    Args:
        per_tap: i32[kh, kw, o].
        geometry: of the image.

    Returns:
        i32[ho, wo, o].
    """
    rows, columns = (jnp.asarray(validity(geometry, axis)) for axis in (0, 1))
    by_row = reduce(
        add, (row[:, None, None] * tap[None] for row, tap in zip(rows.T, per_tap))
    )
    pairs = zip(columns.T, by_row.swapaxes(0, 1))
    return reduce(add, (column[None, :, None] * tap[:, None] for column, tap in pairs))
