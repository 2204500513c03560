"""Compressors: quantizers plus what each end of the link remembers."""

from flq_jax.compressors.base import Broadcast, Compressor, direct
from flq_jax.compressors.lazy import LazyMemory, lazy
from flq_jax.compressors.memory import error_feedback, innovation

__all__ = [
    "Broadcast",
    "Compressor",
    "LazyMemory",
    "direct",
    "error_feedback",
    "innovation",
    "lazy",
]
