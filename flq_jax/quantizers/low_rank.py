"""Matrices as products of two thin ones."""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from flq_jax.arguments import is_integer, require_integer, shown
from flq_jax.precision import EXACT
from flq_jax.quantizers.base import Layout, Message, Quantizer, require_indices


def low_rank(
    rank: int, shapes: Sequence[Sequence[int]], *, iterations: int = 2
) -> Quantizer:
    """The nearest matrices of a low rank, by subspace iteration (Vogels et al. 2019).

    Each tensor is a matrix M [n, m], m its last axis. From Q [m, r], Gaussian,

        P <- orth(M Q),   Q <- orth(M^T P),   `iterations` times, and at last Q <- M^T P;

    what is sent is P and Q, and M_hat = P Q^T is the projection of M on the span of P: a
    contraction, ||M - M_hat||^2 = ||M||^2 - ||Q||^2, and exact where M has rank r. Tensors
    of one axis, and those with n m <= r (n + m), are sent as they are.

    That is PowerSGD's compressor as one client has it; there all clients make one P and one
    Q together, starting from the Q of the round before, for which one iteration does. With
    `error_feedback` outside it is their algorithm otherwise. The equations were read in a
    public summary (junaidaliop/zij, canon/math/powersgd.md).

    Args:
        rank: r, 1 or more; ValueError otherwise.
        shapes: of the tensors whose entries x has, one after another, one or more of
            them and of no length 0; ValueError otherwise.
        iterations: 1 or more; ValueError otherwise.

    Returns:
        A `Quantizer` on f32[d], d the entries of all shapes. A message is no codes, u8[0],
        and r (n + m) f32 sides for each matrix, n m for what is sent as it is. x = 0
        decodes to exactly 0.
    """
    require_integer("low_rank", "rank", rank, 1)
    require_integer("low_rank", "iterations", iterations, 1)
    if not _are_shapes(shapes):
        raise ValueError(
            "low_rank: shapes must be a sequence of shapes, of integers, 1 or more each, "
            f"got shapes={shown(shapes)}"
        )
    matrices = [_as_matrix(tuple(shape)) for shape in shapes]
    sizes = [n * m for n, m in matrices]
    sent = [_numbers(rank, n, m) for n, m in matrices]
    require_indices("low_rank", "coordinates", sum(sizes))
    text = ",".join(f"{n}x{m}" for n, m in matrices)
    only = Layout.of(f"low-rank-{rank}-of-{text}", 1, 0, sum(sent))

    def layout(d):
        if d != sum(sizes):
            raise ValueError(f"low_rank: {shapes=} must add up to the length, got {d=}")
        return only

    def encode(key, x):
        layout(x.size)
        keys = jax.random.split(key, len(matrices))
        sides = []
        for k, part, (n, m), numbers in zip(keys, _cut(x, sizes), matrices, sent):
            whole = numbers == n * m
            factors = (
                part if whole else _factors(k, part.reshape(n, m), rank, iterations)
            )
            sides.append(factors)
        side = jnp.concatenate(sides)
        return Message(jnp.zeros(0, jnp.uint8), side, jnp.int32(only.length))

    def decode(key, message):
        del key
        parts = []
        for side, (n, m), numbers in zip(_cut(message.side, sent), matrices, sent):
            if numbers < n * m:
                p, q = (
                    side[: n * rank].reshape(n, rank),
                    side[n * rank :].reshape(m, rank),
                )
                side = _product(p, q.T).reshape(-1)
            parts.append(side)
        return jnp.concatenate(parts)

    return Quantizer(encode, decode, layout)


def _are_shapes(shapes: Any) -> bool:
    if not isinstance(shapes, list | tuple) or not shapes:
        return False
    return all(
        isinstance(shape, list | tuple) and all(is_integer(n) and n >= 1 for n in shape)
        for shape in shapes
    )


def _as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    return (prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def _numbers(rank: int, n: int, m: int) -> int:
    """How many numbers are sent of a matrix."""
    return min(n * m, rank * (n + m))


def _factors(
    key: jax.Array, matrix: jax.Array, rank: int, iterations: int
) -> jax.Array:
    """P and Q one after the other, f32[r (n + m)]."""
    q = jax.random.normal(key, (matrix.shape[1], rank))
    for _ in range(iterations - 1):
        q = _orthonormal(_product(matrix.T, _orthonormal(_product(matrix, q))))
    p = _orthonormal(_product(matrix, q))
    return jnp.concatenate([p.reshape(-1), _product(matrix.T, p).reshape(-1)])


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.dot(a, b, precision=EXACT)


def _orthonormal(columns: jax.Array) -> jax.Array:
    return jnp.linalg.qr(columns)[0]


def _cut(vector: jax.Array, sizes: Sequence[int]) -> list[jax.Array]:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return [vector[end - size : end] for end, size in zip(ends, sizes)]
