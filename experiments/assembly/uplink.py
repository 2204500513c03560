"""From a config to the link of its clients."""

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import compressors, quantizers
from flq_jax.compressors import Compressor
from flq_jax.quantizers import Quantizer


def compressor(config: ConfigDict, num_params: int) -> Compressor:
    """The uplink: a quantizer, what its ends remember, and when it is silent.

    Args:
        config: the whole config.
        num_params: length of the clients' updates.
    """

    def link(start: jax.Array | None = None) -> Compressor:
        return remembering(config, quantizer(config, num_params, start), num_params)

    if not config.compressor.warm_start:
        return link()
    cold = jnp.zeros(config.compressor.levels)
    return compressors.resuming(link, quantizers.levels_of, cold)


def remembering(
    config: ConfigDict, quantizer: Quantizer, num_params: int
) -> Compressor:
    """The quantizer of f32[num_params] with the memory and the silence of the config."""
    memories = {
        "direct": compressors.direct,
        "error_feedback": compressors.error_feedback,
        "innovation": compressors.innovation,
    }
    options = config.compressor
    link = memories[options.memory](warmed_up(quantizer, config.warm_up, num_params))
    if options.lazy:
        link = lazily(link, options)
    return compressors.momentum(link, options.momentum) if options.momentum else link


def lazily(link: Compressor, options: ConfigDict) -> Compressor:
    """The link with the rule that lets its clients be silent."""
    if options.lazy_rule == "clag":
        return compressors.clag(link, options.lazy_zeta)
    return compressors.lazy(
        link,
        history=options.lazy_history,
        weight=options.lazy_weight,
        max_silence=options.lazy_max_silence,
        error_weight=options.lazy_error_weight,
    )


def quantizer(
    config: ConfigDict, num_params: int, start: jax.Array | None = None
) -> Quantizer:
    """The uplink's quantizer, of updates f32[num_params].

    Args:
        config: the whole config.
        num_params: length of the updates.
        start: what a design begins with, see `lloyd_max`.
    """
    options = config.compressor
    bits, norm, unbiased = options.bits, options.norm, options.unbiased
    radius = None
    if options.radius == "geometric":
        radius = quantizers.geometric(options.radius_scale, options.radius_rate)
    source = None if options.source == "samples" else options.source
    makers = {
        "identity": quantizers.identity,
        "sign": quantizers.sign,
        "plain_sign": lambda: quantizers.sign(1.0),
        "uniform": lambda: quantizers.uniform(bits, radius),
        "stochastic": lambda: quantizers.stochastic(2 ** (bits - 1) - 1, norm),
        "nuqsgd": lambda: quantizers.nuqsgd(bits, norm),
        "alq": lambda: quantizers.alq(bits, norm),
        "terngrad": lambda: quantizers.terngrad(options.clip),
        "natural": quantizers.natural,
        "two_means": quantizers.two_means,
        "lloyd_max": lambda: quantizers.lloyd_max(options.levels, source, start),
        "fixed_point": lambda: quantizers.fixed_point(bits, options.fraction),
        "top_k": lambda: quantizers.top_k(options.keep, num_params),
        "rand_k": lambda: quantizers.rand_k(options.keep, num_params),
        "drive": lambda: quantizers.drive(unbiased),
        "drive_plus": lambda: quantizers.drive_plus(unbiased),
        "eden": lambda: quantizers.eden(options.rate, unbiased),
        "quic_fl": quantizers.quic_fl,
        "thc": lambda: quantizers.thc(
            bits, options.granularity, options.shared_norm or None
        ),
        "uveqfed": lambda: quantizers.uveqfed(
            options.lattice, bits, options.reach or None
        ),
        "adaptive": lambda: quantizers.one_of(
            [of_width(width) for width in config.network.widths]
        ),
    }
    made = makers[options.quantizer]()
    return quantizers.bucketed(made, options.bucket) if options.bucket else made


def warmed_up(quantizer: Quantizer, rounds: int, num_params: int) -> Quantizer:
    """The quantizer of f32[num_params] after so many rounds of floats."""
    if not rounds or quantizer.layout(num_params).floats:
        return quantizer
    return quantizers.warm_up(quantizer, rounds)


def of_width(bits: int) -> Quantizer:
    """The quantizer for a link that carries so many bits a coordinate: FLQ's."""
    special = {1: quantizers.sign, 32: quantizers.identity}
    return special[bits]() if bits in special else quantizers.uniform(bits)
