"""Exact low-bit products and convolutions on packed words."""

from flq_jax.kernels.dispatch import BACKENDS
from flq_jax.kernels.packing import Codes, Packed, as_codes, as_signs, pack, unpack
from flq_jax.kernels.product import bit_conv, bit_matmul

__all__ = [
    "BACKENDS",
    "Codes",
    "Packed",
    "as_codes",
    "as_signs",
    "bit_conv",
    "bit_matmul",
    "pack",
    "unpack",
]
