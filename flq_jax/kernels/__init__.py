"""Exact low-bit products and convolutions on packed words."""

from flq_jax.kernels.packing import Codes, Packed, as_codes, as_signs, pack, unpack

__all__ = ["Codes", "Packed", "as_codes", "as_signs", "pack", "unpack"]
