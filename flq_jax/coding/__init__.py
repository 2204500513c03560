"""Entropy codes: their exact lengths inside jit, and their bits on the host."""

from flq_jax.coding.lengths import WIDEST, Group, groups, num_bits
from flq_jax.coding.stream import CodingError, read, write

__all__ = ["WIDEST", "CodingError", "Group", "groups", "num_bits", "read", "write"]
