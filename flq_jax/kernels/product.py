"""Products and convolutions of low-bit operands: one function each, over all back ends."""

import functools
import importlib
from collections.abc import Callable, Sequence
from types import ModuleType

import jax

from flq_jax.kernels import affine, dispatch, dot, gpu_ptx, popcount, reference
from flq_jax.kernels.geometry import Geometry, Pair, resolve
from flq_jax.kernels.packing import Codes, Packed, pack, unpack

Operand = Codes | Packed


def bit_matmul(
    a: Operand,
    b: Operand,
    *,
    backend: str | None = None,
    platform: str | None = None,
    interpret=False,
) -> jax.Array:
    """The exact matrix product of the values of low-bit operands.

        y_ij = sum_k v(a_ik) v(b_kj),   v(c) = c or 2 c - (2**bits - 1), see `Codes`.

    Args:
        a: [m, k] as `Codes`, or packed along its last axis.
        b: [k, n] as `Codes`, or packed along its first, axis=-2.
        backend: one of `dispatch.BACKENDS`; None: what `dispatch.choose` takes to be
            the fastest. One that cannot do it falls back to that, with a warning.
        platform: where it will run, "cpu", "gpu" or "tpu"; None: where JAX runs now.
        interpret: how Pallas kernels run: False as compiled, True or
            `pltpu.InterpretParams` interpreted.

    Returns:
        i32[m, n], equal to the integer product on every back end.

    Raises:
        TypeError: if an operand is neither.
        ValueError: if ranks, lengths or packed axes do not fit, or a result might
            not fit 32 bits.
    """
    (rows, length), (length_b, columns) = _shape("a", a, 2, -1), _shape("b", b, 2, -2)
    if length != length_b:
        raise ValueError(
            f"bit_matmul: a [m, k] and b [k, n] must share k, got a of "
            f"{(rows, length)} and b of {(length_b, columns)}"
        )
    affine.require_range("bit_matmul", length, a, b)
    shape = dispatch.Shape(
        rows, length, columns, (a.bits, b.bits), (_is_packed(a), _is_packed(b))
    )
    platform = platform or jax.default_backend()
    backend = dispatch.resolve("bit_matmul", backend, platform, shape, interpret)
    if backend == "reference":
        return reference.matmul(_unpacked(a), _unpacked(b))
    if backend == "lax_dot":
        dtype = dispatch.multiplied(platform, shape)
        return dot.matmul(_unpacked(a), _unpacked(b), dtype)
    a, b = _packed(a, -1), _packed(b, -2)
    binary = affine.is_binary(a, b) and not backend.endswith("int8")
    counts = _counts(backend, binary, interpret)(a.words, b.words)
    return affine.matmul_values(counts, a, b, binary)


def bit_conv(
    x: Operand,
    w: Operand,
    *,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    padding: str | Sequence[Pair] = "SAME",
    groups: int = 1,
    backend: str | None = None,
    platform: str | None = None,
    interpret=False,
) -> jax.Array:
    """The exact convolution of the values of low-bit operands, NHWC by HWIO.

    A padded position has the value 0, though the grid of a signed operand has no 0:
    what its words would count is taken off again (`affine.conv_values`).

    Args:
        x: [n, h, w, c] as `Codes`, or packed along c with as many `groups`.
        w: [kh, kw, c / groups, o] as `Codes`, or packed along its axis=-2.
        stride: of the window; `geometry.resolve` says what is allowed here and in the
            next two.
        dilation: of the taps.
        padding: "SAME", "VALID" or ((top, bottom), (left, right)).
        groups: parts of the channels, each seen by o / groups outputs only.
        backend: as in `bit_matmul`.
        platform: as in `bit_matmul`.
        interpret: as in `bit_matmul`.

    Returns:
        i32[n, ho, wo, o], equal to the integer convolution on every back end.

    Raises:
        ValueError: as in `bit_matmul`, or if groups do not divide c and o, or an operand
            of a ptx_* back end has 2 GiB or more.
    """
    batch, rows, columns, channels = _shape("x", x, 4, -1)
    height, width, part, outputs = _shape("w", w, 4, -2)
    if groups < 1 or channels != part * groups or outputs % groups:
        raise ValueError(
            f"bit_conv: groups must divide outputs, and times w's channels be x's, got "
            f"{groups=}, {outputs=}, channels {part} of w and {channels} of x"
        )
    if isinstance(x, Packed) and x.groups != groups:
        raise ValueError(f"bit_conv: x must be packed with {groups=}, got {x.groups=}")
    geometry = resolve((rows, columns), (height, width), stride, dilation, padding)
    length = height * width * part
    affine.require_range("bit_conv", length, x, w)
    windows = geometry.out[0] * geometry.out[1]
    shape = dispatch.Shape(
        batch * windows,
        length,
        outputs // groups,
        (x.bits, w.bits),
        (_is_packed(x), _is_packed(w)),
        max(windows * height * width / max(rows * columns, 1), 1e-3),
        True,
    )
    platform = platform or jax.default_backend()
    backend = dispatch.resolve("bit_conv", backend, platform, shape, interpret)
    if backend == "reference":
        return reference.conv(_unpacked(x), _unpacked(w), geometry, groups)
    if backend == "lax_dot":
        dtype = dispatch.multiplied(platform, shape)
        return dot.conv(_unpacked(x), _unpacked(w), geometry, groups, dtype)
    x, w = _packed(x, -1, groups), _packed(w, -2)
    binary = affine.is_binary(x, w) and not backend.endswith("int8")
    counts = _conv_counts(backend, binary, interpret, geometry, x, w)
    return affine.conv_values(counts, x, w, geometry, binary)


def _conv_counts(backend, binary, interpret, geometry: Geometry, x, w) -> jax.Array:
    """Counts of every group's windows, i32[n, ho, wo, o], on packed operands."""

    def one_group(x, w):
        if backend == "lax_popcount":
            return popcount.conv_counts(x, w, binary, geometry)
        if backend == "ptx_popcount":
            return gpu_ptx.popcount_conv(x, w, binary=binary, geometry=geometry)
        if backend == "ptx_int8":
            return gpu_ptx.int8_conv(x, w, geometry=geometry)
        platform, kind = backend.split("_")
        room = _pallas(f"{platform}_conv")
        options = {"geometry": geometry, "interpret": interpret}
        if kind == "int8":
            return room.int8_conv(x, w, **options)
        return room.popcount_conv(x, w, binary=binary, **options)

    if x.groups == 1:
        return one_group(x.words, w.words)
    by_group = x.words.reshape(*x.words.shape[:-1], x.groups, -1)
    kernels = w.words.reshape(*w.words.shape[:-1], x.groups, -1)
    counts = jax.vmap(one_group, in_axes=(4, 4), out_axes=3)(by_group, kernels)
    return counts.reshape(*counts.shape[:3], -1)


def _counts(backend: str, binary: bool, interpret) -> Callable:
    """(i32[k, m, p], i32[l, p, n]) -> i32[m, n] on a back end for packed words."""
    if backend == "lax_popcount":
        return lambda a, b: popcount.counts(a, b, binary)
    if backend == "ptx_popcount":
        return functools.partial(gpu_ptx.popcount_product, binary=binary)
    if backend == "ptx_int8":
        return gpu_ptx.int8_product
    platform, kind = backend.split("_")
    module = _pallas(platform)
    if kind == "int8":
        return functools.partial(module.int8_product, interpret=interpret)
    return functools.partial(
        module.popcount_product, binary=binary, interpret=interpret
    )


def _pallas(name: str) -> ModuleType:
    """A module of Pallas kernels, for those who use it: JAX may lack what others need."""
    return importlib.import_module(f"flq_jax.kernels.{name}")


def _is_packed(operand: Operand) -> bool:
    return isinstance(operand, Packed)


def _packed(operand: Operand, axis: int, groups: int = 1) -> Packed:
    return operand if isinstance(operand, Packed) else pack(operand, axis, groups)


def _unpacked(operand: Operand) -> Codes:
    return unpack(operand) if isinstance(operand, Packed) else operand


def _shape(name: str, operand: Operand, rank: int, axis: int) -> tuple[int, ...]:
    """The unpacked shape, checked for its rank and the packed axis."""
    if not isinstance(operand, Operand):
        raise TypeError(
            f"{name} must be Codes or Packed (as_codes, as_signs, pack), got a "
            f"{type(operand).__name__}"
        )
    shape = (
        operand.codes.shape if isinstance(operand, Codes) else operand.words.shape[1:]
    )
    if len(shape) != rank:
        raise ValueError(f"{name} must have rank {rank}, got shape {shape}")
    if isinstance(operand, Codes):
        return shape
    if operand.axis != axis:
        raise ValueError(f"{name} must be packed along {axis=}, got {operand.axis=}")
    shape = list(shape)
    shape[axis] = operand.length
    return tuple(shape)
