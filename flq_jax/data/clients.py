"""The clients' examples as stacked arrays, for `vmap` over clients."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import DTypeLike

WHITE = 255.0  # the u8 value that stands for 1


class ClientData(NamedTuple):
    """Every client's examples, padded to the longest.

    Rows sizes[m].. of client m are zeros and stand for nothing: whoever reads draws
    from, or weighs by, rows 0..sizes[m]-1.

    Attributes:
        inputs: [M, n_max, ...], u8, which stands for 0..1, floats, or i32, which are
            tokens or the like.
        labels: what a model shall say of each, [M, n_max, ...]: i32 or bool, or floats.
        sizes: examples of each client, i32[M].
    """

    inputs: np.ndarray | jax.Array
    labels: np.ndarray | jax.Array
    sizes: np.ndarray | jax.Array

    @property
    def capacity(self) -> int:
        """n_max, rows of a client's arrays."""
        return self.labels.shape[np.ndim(self.sizes)]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one input."""
        return self.inputs.shape[np.ndim(self.sizes) + 1 :]

    def at(self, rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of a shard, one client's, the (inputs [b, numbers of one], labels [b, ...]).

        Rows i32[b] of 0..n_max-1; from its size on inputs may be anything, labels are 0.
        """
        # Gathered as flat vectors: XLA copies them twice as fast as images.
        return self.inputs.reshape(self.capacity, -1)[rows], self.labels[rows]

    def of(self, who: jax.Array) -> Self:
        """These clients' examples, i32[s] of 0..M-1; all, in order, need no copy."""
        if who.shape[0] == self.sizes.shape[0]:
            return self
        return jax.tree.map(lambda leaf: leaf[who], self)

    def one(self, client: int) -> Self:
        """That client's shard."""
        return jax.tree.map(lambda leaf: leaf[client], self)

    def apart(self) -> tuple[None, Self]:
        """(what is no client's own, rows with the leading axis [M]), see `flat.joined`."""
        return None, self

    def divided(self, most: int) -> "ClientData":
        """The same examples, in their order, as the shares of more clients.

        Args:
            most: rows of a share at most, 1 or more.

        Returns:
            M ceil(n_max / most) shares, whose padding is left out of sizes.
        """
        parts = -(-self.capacity // most)
        size = -(-self.capacity // parts)

        def cut(leaf):
            padding = [(0, 0)] * leaf.ndim
            padding[1] = (0, parts * size - self.capacity)
            return jnp.pad(leaf, padding).reshape(-1, size, *leaf.shape[2:])

        left = self.sizes[:, None] - size * jnp.arange(parts)[None]
        sizes = jnp.clip(left, 0, size).reshape(-1)
        return ClientData(cut(self.inputs), cut(self.labels), sizes)

    def in_parts(self, most: int) -> "ClientData":
        """All examples as shares of at most `most`, whosever they are."""
        return self.divided(most)


def client_data(
    inputs: np.ndarray,
    labels: np.ndarray,
    parts: Sequence[np.ndarray],
    dtype: DTypeLike | None = None,
    longest: int = 0,
) -> ClientData:
    """Stacks the examples by client, in numpy; the caller moves them to the device.

    Takes M n_max (bytes of an input + 4) bytes: for a very uneven partition a multiple
    of the data set. MNIST on even clients is 47 MB in u8 and 188 MB in f32. Parts that
    are equally long and follow one another, as `contiguous` makes them when M divides
    n, are a view on `inputs` (and, unless cast, take nothing).

    Args:
        inputs: u8[n, ...], floats[n, ...] or i32[n, ...].
        labels: [n, ...]: integers become i32, f64 f32, and others stay as they are.
        parts: for each client the rows it holds, integers[n_m] in 0..n-1; at least one
            client and one row.
        dtype: of the inputs: None leaves them alone, for minibatches that gather a few
            rows and scale them on use (see `scaled`); np.float32 scales u8 here and now,
            for full batches, with the values of `scaled` to the last bit or so.

    Raises:
        ValueError: for rows outside 0..n-1, no rows at all (without `longest`), a client
            with more of them than `longest`, labels that are not as many as the inputs,
            a dtype that is neither f32 nor the inputs' own, or
            integers as labels that i32 does not hold.
    """
    sizes, to, targets_of = as_held(inputs, labels, parts, longest, dtype)
    longest = longest or int(sizes.max())
    rows = np.concatenate(parts)
    shape = len(parts), longest
    first, end = rows[:1].sum(), rows[:1].sum() + rows.size
    if (sizes == longest).all() and np.array_equal(rows, np.arange(first, end)):
        stacked = to(inputs[first:end]).reshape(shape + inputs.shape[1:])
        targets = targets_of(labels[first:end])
        return ClientData(stacked, targets.reshape(shape + labels.shape[1:]), sizes)
    return ClientData(
        _padded(inputs, parts, longest, to),
        _padded(labels, parts, longest, targets_of),
        sizes,
    )


def as_held(
    inputs: np.ndarray,
    labels: np.ndarray,
    parts: Sequence[np.ndarray],
    longest: int,
    dtype: DTypeLike | None,
) -> tuple[np.ndarray, Callable, Callable]:
    """(sizes i32[M], what casts some of the inputs, what casts some of the labels).

    Arguments and errors are those of `client_data`.
    """
    n = len(inputs)
    sizes = np.array([len(part) for part in parts], np.int32)
    if len(labels) != n:
        raise ValueError(
            f"client_data: labels must be as many as the inputs, got {len(labels)} "
            f"labels and {n} inputs"
        )
    if not sizes.any() and not longest:
        raise ValueError(
            f"client_data: parts must hold at least one row, got sizes {sizes.tolist()}"
        )
    rows = np.concatenate(parts)
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise ValueError(
            f"client_data: rows must be in 0..{n - 1}, got {rows.min()}..{rows.max()}"
        )
    if longest and longest < sizes.max():
        raise ValueError(
            f"client_data: longest must be {sizes.max()} or more, got {longest}"
        )
    return sizes, _conversion(inputs.dtype, dtype), _targets


def pooled(inputs: jax.Array, labels: jax.Array) -> ClientData:
    """All examples, inputs [n, ...] and labels [n, ...], as one client's."""
    sizes = jnp.array([labels.shape[0]], jnp.int32)
    return ClientData(inputs[None], labels[None], sizes)


def scaled(inputs: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
    """Inputs as the models take them: u8[...] -> f32[...] = u8 / 255, in [0, 1].

    Floats and i32, such as tokens, are returned unchanged; ValueError for any other type.
    """
    if jnp.issubdtype(inputs.dtype, jnp.floating) or inputs.dtype == jnp.int32:
        return inputs
    if inputs.dtype != jnp.uint8:
        raise ValueError(
            f"scaled: inputs must be uint8, int32 or floats, got {inputs.dtype}"
        )
    return inputs.astype(jnp.float32) / WHITE


def _conversion(came: np.dtype, dtype: DTypeLike | None):
    """The function that casts inputs of type `came` to `dtype`, scaling u8 to [0, 1]."""
    wanted = came if dtype is None else np.dtype(dtype)
    if wanted == came:
        return lambda inputs: inputs
    if wanted != np.float32 or came != np.uint8:
        raise ValueError(
            f"client_data: dtype must be float32 or that of the inputs, {came}, got "
            f"{wanted}, and only uint8 becomes float32"
        )
    return lambda inputs: np.divide(inputs, np.float32(WHITE), dtype=np.float32)


def _targets(labels: np.ndarray) -> np.ndarray:
    """Labels as a device holds them."""
    if labels.dtype.kind not in "iu":
        single = np.float32 if labels.dtype == np.float64 else labels.dtype
        return labels.astype(single, copy=False)
    held = np.iinfo(np.int32)
    if labels.size and not held.min <= labels.min() <= labels.max() <= held.max:
        raise ValueError(
            f"client_data: labels must be as int32 holds them, got {labels.min()}.."
            f"{labels.max()}"
        )
    return labels.astype(np.int32, copy=False)


def _padded(array: np.ndarray, parts, longest: int, to) -> np.ndarray:
    """[M, n_max, ...] with the rows of each part, then zeros."""
    dtype = to(array[:1]).dtype
    out = np.zeros((len(parts), longest) + array.shape[1:], dtype)
    for row, part in zip(out, parts):
        row[: len(part)] = to(array[part])
    return out
