"""Which back end computes a product: the rule, and what it rests on.

reference      plain integers; the oracle, and whatever is empty
lax_popcount   popcounts of packed words in lax, vectorised by XLA:CPU
lax_dot        unpacked operands on the units that multiply, exact (see `dot`)
gpu_popcount   Pallas (Triton) for NVIDIA: popcounts of packed words
gpu_int8       Pallas (Triton): packed words, unpacked to int8 tensor cores
ptx_popcount   the same for NVIDIA in PTX, which XLA takes as text: no Triton needed
ptx_int8       PTX: packed words, spread to bytes in the registers of tensor cores
tpu_popcount   Pallas (Mosaic) for TPU: popcounts on the vector unit
tpu_int8       Pallas (Mosaic): packed columns, unpacked in VMEM to the int8 MXU

The convolutions of the last six are implicit products (`gpu_conv`, `ptx_programs`,
`tpu_conv`).
"""

import functools
import importlib.util
import warnings
from typing import NamedTuple

import jax.numpy as jnp

from flq_jax.kernels import dot, gpu_ptx, host, predicted, ptx
from flq_jax.kernels.packing import num_words

BACKENDS = (
    "reference",
    "lax_popcount",
    "lax_dot",
    "gpu_popcount",
    "gpu_int8",
    "ptx_popcount",
    "ptx_int8",
    "tpu_popcount",
    "tpu_int8",
)
PLATFORMS = {"cpu": "cpu", "gpu": "gpu", "cuda": "gpu", "tpu": "tpu"}
HOMES = {
    "gpu": "gpu",
    "ptx": "gpu",
    "tpu": "tpu",
}  # of kernels, by a back end's first part
TRITON = "jax.experimental.pallas.triton"  # deprecated from JAX 0.11 on

# Costs on a CPU, in multiply-adds of its f32 dot.
PLAIN_WORD_COST = 2.0
TREE_WORD_COST = 4.4
PACK_COST = 7.5
UNPACK_COST = 5.0
DOT_COST = {"float32": 1.0, "bfloat16": 0.6, "int8": 0.7}

GPU_LEAD = 2.0  # by which a kernel must be predicted to win while it is not timed


class Shape(NamedTuple):
    """What the rule looks at.

    Attributes:
        rows: of a; windows of a convolution.
        length: terms of a sum.
        columns: of b; outputs of a convolution, within a group.
        bits: of a and of b.
        packed: whether a and b come packed.
        reuse: products each element of a enters per column: the taps of a convolution
            over its strides; 1 for a matrix.
        conv: whether it is a convolution.
    """

    rows: int
    length: int
    columns: int
    bits: tuple[int, int]
    packed: tuple[bool, bool] = (True, True)
    reuse: float = 1.0
    conv: bool = False


def choose(platform: str, shape: Shape) -> str:
    """The back end for a product of that shape on "cpu", "gpu" or "tpu".

    With k and l bits, popcounts do k l / 32 word operations for a product of one term.

    CPU (measured by `python -m benchmarks.bit_product` and `bit_conv` on one core). In
    multiply-adds of the f32 dot, where the host counts bits in vectors and multiplies
    bf16 and int8: a word costs 3.1 at 1 x 1 bit, 2.0 at 2 x 4 and 3 x 3, where the rule
    has to decide, and 1.6 at 8 x 8; packing an element 7.5 for each of its bits, which
    n columns share; and a multiply-add 0.6 in bf16, 0.7 in int8. On a host with none of
    these a word costs 4.4, the median, of which half lie within 3.6 and 5.0. Predicted,
    and never measured: 5 for unpacking an element. So

        popcount if  word k l / 32 + 7.5 k / n [a unpacked] + 7.5 l / m [b unpacked]
                     < dot splits + 5 / n [a packed] + 5 / m [b packed],

    where a word costs 2.0 or 4.4, dot is 1, 0.6 or 0.7 as `multiplied`, and splits is
    what exactness costs a convolution, 1, 2 or 4 (`dot.num_products`).

    GPU (predicted for an H100 by `predicted.gpu_costs`, never timed): a kernel of ours only where
    b is packed and its cost is predicted to be at most half of lax_dot's; otherwise, and
    for convolutions of any size, lax_dot. The kernel is Pallas', or its sister in PTX where
    JAX has no Triton any more and both operands have less than 2 GiB; nobody knows which is
    faster.

    TPU (predicted from the compiler's static schedules for v5e). The vector unit reaches
    29,817 products a bundle by popcounts, the MXU 123,136 from int8 in memory and
    113,551 from packed columns unpacked in VMEM, of which 8 / l times more fit through
    memory: tpu_int8 if b is packed, otherwise and for convolutions lax_dot; popcounts
    never.
    """
    if 0 in (shape.rows, shape.length, shape.columns):
        return "reference"
    if platform == "gpu" and not shape.conv and shape.packed[1]:
        costs = predicted.gpu_costs(shape)
        best = min(costs, key=costs.__getitem__)
        if GPU_LEAD * costs[best] > costs["lax_dot"]:
            return "lax_dot"
        if has_triton():
            return best
        return "lax_dot" if _too_large(shape) else best.replace("gpu_", "ptx_")
    if platform == "tpu" and not shape.conv and shape.packed[1]:
        return "tpu_int8"
    if platform == "cpu" and _popcount_cost(shape) < _dot_cost(shape):
        return "lax_popcount"
    return "lax_dot"


def multiplied(platform: str, shape: Shape):
    """The type of the parts that lax_dot multiplies: f32, bf16 or i8, see `dot`.

    Each is exact, so speed decides. On a CPU with such instructions matrices are
    multiplied in bf16, 1.6 to 2.0 times as fast as in f32, in which convolutions gain
    nothing; these take int8, 1.3 to 1.6 times as fast, if no code has 8 bits and would
    have to be split (`benchmarks.bit_product`, `bit_conv`).
    """
    home = PLATFORMS[platform]
    if home != "cpu":
        return jnp.bfloat16 if home == "gpu" and shape.conv else jnp.int8
    if shape.conv and host.has_int8_dot() and max(shape.bits) < 8:
        return jnp.int8
    return jnp.bfloat16 if host.has_bf16_dot() and not shape.conv else jnp.float32


def _popcount_cost(shape: Shape) -> float:
    """Multiply-adds of the f32 dot that one term costs as popcounts."""
    (a_bits, b_bits), (a_packed, b_packed) = shape.bits, shape.packed
    word = PLAIN_WORD_COST if host.has_vector_popcount() else TREE_WORD_COST
    pack_a = 0.0 if a_packed else PACK_COST * a_bits / (shape.columns * shape.reuse)
    pack_b = 0.0 if b_packed else PACK_COST * b_bits / shape.rows
    return word * a_bits * b_bits / 32 + pack_a + pack_b


def _dot_cost(shape: Shape) -> float:
    unpack_a = UNPACK_COST / (shape.columns * shape.reuse) if shape.packed[0] else 0.0
    unpack_b = UNPACK_COST / shape.rows if shape.packed[1] else 0.0
    dtype = multiplied("cpu", shape)
    product = DOT_COST[jnp.dtype(dtype).name]
    if shape.conv:
        product *= dot.num_products(*shape.bits, shape.length, dtype)
    return product + unpack_a + unpack_b


def resolve(
    where: str, backend: str | None, platform: str, shape: Shape, interpret
) -> str:
    """The back end asked for, if it can do it, else the one that `choose` names.

    Falling back is said once, in a warning with the reason.

    Args:
        where: the caller, for messages.
        backend: one of `BACKENDS`, or None for `choose`; ValueError otherwise.
        platform: "cpu", "gpu" (or "cuda") or "tpu"; ValueError otherwise.
        shape: of the product.
        interpret: whether Pallas kernels run interpreted, so on any platform.
    """
    if platform not in PLATFORMS:
        raise ValueError(
            f"{where}: platform must be one of {', '.join(PLATFORMS)}, got {platform=}"
        )
    platform = PLATFORMS[platform]
    if backend is None:
        return choose(platform, shape)
    if backend not in BACKENDS:
        raise ValueError(
            f"{where}: backend must be None or one of {', '.join(BACKENDS)}, got "
            f"{backend=}"
        )
    reason = _obstacle(backend, platform, shape, interpret)
    if reason is None:
        return backend
    instead = choose(platform, shape)
    _say_once(f"{where}: {backend} {reason}; using {instead} instead")
    return instead


def _obstacle(backend: str, platform: str, shape: Shape, interpret) -> str | None:
    """Why a back end cannot do a product, or None if it can."""
    way = backend.split("_")[0]
    home = HOMES.get(way, platform)
    if home != platform and (way == "ptx" or not interpret):
        return f"needs a {home}, not a {platform}"
    if way == "gpu" and not has_triton():
        return f"needs {TRITON}, which this JAX has not"
    if way == "ptx" and not shape.conv and _too_large(shape):
        return f"takes operands of less than {gpu_ptx.MOST_BYTES} bytes ({shape=})"
    if backend != "reference" and 0 in (shape.rows, shape.length, shape.columns):
        return (
            f"takes no empty product ({shape.rows=} {shape.length=} {shape.columns=})"
        )
    return None


def _too_large(shape: Shape) -> bool:
    """Whether an operand of a matrix product has more bytes than an offset in PTX reaches."""
    lines = shape.rows * shape.bits[0], shape.columns * shape.bits[1]
    return ptx.BYTES * max(lines) * num_words(shape.length) >= gpu_ptx.MOST_BYTES


@functools.cache
def has_triton() -> bool:
    """Whether JAX still has the back end of Pallas on which gpu_* stand."""
    return importlib.util.find_spec(TRITON) is not None


@functools.cache
def _say_once(message: str) -> None:
    warnings.warn(message, stacklevel=4)
