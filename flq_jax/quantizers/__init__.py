"""Quantizers: maps without memory, f32[d] -> Message -> f32[d]."""

from flq_jax.quantizers.apart import apart
from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.quantizers.bucketed import bucketed, in_parts
from flq_jax.quantizers.codebook import codebook, levels_of, lloyd_max
from flq_jax.quantizers.eden import drive, drive_plus, eden
from flq_jax.quantizers.entropy_coded import entropy_coded
from flq_jax.quantizers.fixed_point import fixed_point
from flq_jax.quantizers.halved import halved
from flq_jax.quantizers.identity import identity
from flq_jax.quantizers.lattice import uveqfed
from flq_jax.quantizers.levels import alq, nuqsgd
from flq_jax.quantizers.low_rank import low_rank
from flq_jax.quantizers.masked_noise import masked_noise
from flq_jax.quantizers.natural import natural
from flq_jax.quantizers.noisy_sign import noisy_sign
from flq_jax.quantizers.one_of import one_of
from flq_jax.quantizers.onebit import two_means
from flq_jax.quantizers.projected import projected
from flq_jax.quantizers.quic_fl import quic_fl
from flq_jax.quantizers.rotated import rotated
from flq_jax.quantizers.segments import segmented
from flq_jax.quantizers.sign import sign
from flq_jax.quantizers.sparse import rand_k, top_k
from flq_jax.quantizers.stochastic import stochastic
from flq_jax.quantizers.tanh import tanh_grid
from flq_jax.quantizers.ternary import terngrad
from flq_jax.quantizers.thc import homomorphic_thc, thc
from flq_jax.quantizers.twos_complement import twos_complement
from flq_jax.quantizers.uniform import geometric, uniform
from flq_jax.quantizers.warm_up import warm_up
from flq_jax.quantizers.zero_one import zero_one

__all__ = [
    "Layout",
    "Message",
    "Quantizer",
    "alq",
    "apart",
    "bucketed",
    "codebook",
    "drive",
    "drive_plus",
    "eden",
    "entropy_coded",
    "fixed_point",
    "geometric",
    "halved",
    "homomorphic_thc",
    "identity",
    "in_parts",
    "levels_of",
    "lloyd_max",
    "low_rank",
    "masked_noise",
    "natural",
    "noisy_sign",
    "nuqsgd",
    "one_of",
    "projected",
    "quic_fl",
    "rand_k",
    "rotated",
    "segmented",
    "sign",
    "stochastic",
    "tanh_grid",
    "terngrad",
    "thc",
    "top_k",
    "two_means",
    "twos_complement",
    "uniform",
    "uveqfed",
    "warm_up",
    "zero_one",
]
