"""Quantizers: maps without memory, f32[d] -> Message -> f32[d]."""

from flq_jax.quantizers.base import Layout, Message, Quantizer, segmented
from flq_jax.quantizers.eden import drive, drive_plus, eden, rotated
from flq_jax.quantizers.identity import identity
from flq_jax.quantizers.lattice import uveqfed
from flq_jax.quantizers.quic_fl import quic_fl
from flq_jax.quantizers.sign import sign
from flq_jax.quantizers.stochastic import stochastic
from flq_jax.quantizers.tanh import tanh_grid
from flq_jax.quantizers.thc import homomorphic_thc, thc
from flq_jax.quantizers.uniform import geometric, uniform

__all__ = [
    "Layout",
    "Message",
    "Quantizer",
    "drive",
    "drive_plus",
    "eden",
    "geometric",
    "homomorphic_thc",
    "identity",
    "quic_fl",
    "rotated",
    "segmented",
    "sign",
    "stochastic",
    "tanh_grid",
    "thc",
    "uniform",
    "uveqfed",
]
