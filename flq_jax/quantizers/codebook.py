"""Rounding to the nearest level of a codebook: Lloyd-Max, or any that both ends share."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from flq_jax.arguments import require_choice, shown
from flq_jax.quantizers.base import Layout, Message, Quantizer
from flq_jax.quantizers.densities import SOURCES, of_source, require_levels
from flq_jax.quantizers.lloyd import design
from flq_jax.quantizers.ranges import mean_magnitude, rms


def lloyd_max(
    levels: int, source: str | None = None, start: jax.Array | None = None
) -> Quantizer:
    """Rounds each coordinate to the nearest of the levels of least squared error.

    The levels are designed from x itself and travel with it, see `lloyd.design`; or they
    are those of a density of unit variance (Max 1960, Table I), known to both ends, and
    only the root mean square of x travels:

        x_hat_i = c_j,  |x_i - c_j| least;    x_hat_i = rms(x) c_j,  |x_i / rms(x) - c_j| least.

    Args:
        levels: k, 2 to 256, not only powers of two; ValueError otherwise.
        source: None designs from x; "gaussian" or "laplace"; ValueError otherwise.
        start: levels to begin the design with, in units of the mean magnitude of x,
            f32[k], such as those of the last message, see `levels_of`; None makes them,
            as do zeros. ValueError with a source, of which nothing is designed.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes and f32[k] sides, the levels, or
        f32[1] = rms(x); it costs ceil(log2 k) d + 32 k bits, or ceil(log2 k) d + 32.
        x = 0 decodes to exactly 0.
    """
    require_levels("lloyd_max", levels)
    if source is not None:
        if start is not None:
            raise ValueError(f"lloyd_max: {source=} is designed once, without a start")
        require_choice("lloyd_max", "source", source, SOURCES)  # what has no hash, too
        return codebook(of_source(source, levels), f"lloyd-{source}{levels}")
    bits = (levels - 1).bit_length()

    def layout(d):
        return Layout.of(f"lloyd-max{levels}", bits, d, levels)

    def encode(key, x):
        del key  # deterministic
        begin = None if start is None else start * mean_magnitude(x)
        table = design(x, levels, start=begin)
        return Message(nearest(table, x), table, jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return message.side[message.codes]

    return Quantizer(encode, decode, layout)


def levels_of(message: Message) -> jax.Array:
    """The levels that a message of `lloyd_max` carries, by what it says.

    Args:
        message: u8[d] codes and f32[k] side.

    Returns:
        f32[k], in units of the mean magnitude of its d values; zeros if they all are 0.
    """
    mean = mean_magnitude(message.side[message.codes])
    return jnp.where(mean > 0.0, message.side / jnp.where(mean > 0.0, mean, 1.0), 0.0)


def codebook(values: Sequence[float] | np.ndarray, name: str = "codebook") -> Quantizer:
    """Rounds x_i / rms(x) to the nearest of fixed values that both ends know.

    Args:
        values: 2 to 256 finite numbers in ascending order; ValueError otherwise.
        name: of the scheme; two codebooks that meet on one link need two names.

    Returns:
        A `Quantizer` on f32[d]. A message is u8[d] codes and f32[1] side = rms(x) =
        ||x|| / sqrt(d); it costs ceil(log2 k) d + 32 bits. x = 0 decodes to exactly 0.
    """
    try:
        table = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise ValueError(
            f"codebook: values must be numbers, got values={shown(values)}"
        ) from None
    if table.ndim != 1 or not 2 <= table.size <= 256:
        raise ValueError(f"codebook: values must be 2 to 256, got shape {table.shape}")
    if not np.isfinite(table).all() or (np.diff(table) <= 0).any():
        raise ValueError(f"codebook: values must be finite and ascend, got {values=}")
    bits = (table.size - 1).bit_length()

    def layout(d):
        return Layout.of(name, bits, d, 1)

    def encode(key, x):
        del key  # deterministic
        size = rms(x)
        codes = nearest(jnp.asarray(table), x / jnp.where(size > 0.0, size, 1.0))
        return Message(codes, size[None], jnp.int32(layout(x.size).length))

    def decode(key, message):
        del key
        return message.side[0] * jnp.asarray(table)[message.codes]

    return Quantizer(encode, decode, layout)


def nearest(table: jax.Array, x: jax.Array) -> jax.Array:
    """The number of the level nearest to each coordinate; half-way points round down.

    Args:
        table: levels in ascending order, f32[k], k at most 256.
        x: f32[d].

    Returns:
        u8[d]; 0 for NaN.
    """
    thresholds = 0.5 * (table[1:] + table[:-1])
    if table.size <= 64:  # one pass of compares; a search of so few is slower
        codes = jnp.zeros_like(x)
        for threshold in thresholds:
            codes += (x > threshold).astype(jnp.float32)
        return codes.astype(jnp.uint8)
    half = 2 ** (thresholds.size.bit_length() - 1)
    padded = jnp.pad(thresholds, (0, 2 * half), constant_values=jnp.inf)
    codes = jnp.zeros(x.shape, jnp.int32)
    while half:
        codes += half * (x > padded[codes + half - 1]).astype(jnp.int32)
        half //= 2
    return codes.astype(jnp.uint8)
