"""Compressors: quantizers plus what each end of the link remembers."""

from flq_jax.compressors.base import Broadcast, Compressor, direct
from flq_jax.compressors.clag import clag
from flq_jax.compressors.econtrol import econtrol
from flq_jax.compressors.lazy import lazy
from flq_jax.compressors.marina import marina
from flq_jax.compressors.memory import error_feedback, innovation
from flq_jax.compressors.momentum import momentum
from flq_jax.compressors.perm_k import perm_k
from flq_jax.compressors.resuming import resuming
from flq_jax.compressors.triggered import Trigger, triggered
from flq_jax.compressors.zooming import Zooming, zooming

__all__ = [
    "Broadcast",
    "Compressor",
    "Trigger",
    "Zooming",
    "clag",
    "direct",
    "econtrol",
    "error_feedback",
    "innovation",
    "lazy",
    "marina",
    "momentum",
    "perm_k",
    "resuming",
    "triggered",
    "zooming",
]
