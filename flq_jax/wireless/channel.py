"""Where the clients are, and what is left of their signal at the server.

A gain is received power over sent power. Gains multiply: path loss, shadowing, and the
fading of the round, each redrawn at its own pace by the caller's keys.
"""

import math

import jax
import jax.numpy as jnp

from flq_jax.single import single


def from_db(db: jax.Array | float) -> jax.Array:
    """10^(db / 10): a ratio; of dBm, 1000 times the watts."""
    return jnp.power(10.0, jnp.asarray(db) / 10.0)


def noise_w(
    bandwidth_hz: jax.Array | float, density_dbm_per_hz: float = -174.0
) -> jax.Array:
    """Noise power in a band; -174 dBm/Hz is thermal noise at 290 K."""
    return from_db(density_dbm_per_hz) * 1e-3 * bandwidth_hz


def disk(
    key: jax.Array,
    num_clients: int,
    inner_m: float | jax.Array,
    outer_m: float | jax.Array,
) -> jax.Array:
    """Positions of equal density in a ring around the server.

    Args:
        key: random key.
        num_clients: m.
        inner_m: radius kept free, 0 or more.
        outer_m: radius of the cell, above inner_m; ValueError otherwise.

    Returns:
        f[m, 2], metres from the server.
    """
    if not 0.0 <= inner_m < outer_m:
        raise ValueError(
            f"disk: radii must obey 0 <= inner < outer, got {inner_m=} {outer_m=}"
        )
    key_radius, key_angle = jax.random.split(key)
    area = jax.random.uniform(
        key_radius, (num_clients,), minval=inner_m**2, maxval=outer_m**2
    )
    angle = jax.random.uniform(key_angle, (num_clients,), maxval=2.0 * jnp.pi)
    direction = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    return jnp.sqrt(area)[:, None] * direction


def distance_m(position_m: jax.Array) -> jax.Array:
    """Distance to the server at the origin: f[..., 2] -> f[...]."""
    return jnp.sqrt(jnp.sum(jnp.square(position_m), axis=-1))


def power_law_gain(
    distance_m: jax.Array, exponent: float, reference_gain: float | jax.Array = 1.0
) -> jax.Array:
    """reference_gain d^-exponent, with the gain at 1 m."""
    return reference_gain * jnp.power(distance_m, -exponent)


def log_distance_gain(
    distance_m: jax.Array, intercept_db: float = 128.1, slope_db: float = 37.6
) -> jax.Array:
    """Path loss of intercept + slope log10(d / 1 km) dB, as a gain.

    The defaults are 3GPP's macro cell at 2 GHz (TR 36.942, Sec. 4.5.2, 15 m masts).
    """
    return from_db(-intercept_db - slope_db * jnp.log10(distance_m / 1000.0))


def shadowing_gain(key: jax.Array, shape: tuple, deviation_db: float) -> jax.Array:
    """Log-normal shadowing of median 1."""
    return from_db(deviation_db * jax.random.normal(key, shape))


def rayleigh_gain(key: jax.Array, shape: tuple) -> jax.Array:
    """Power of a fading path without line of sight: exponential, of mean 1."""
    return jax.random.exponential(key, shape)


def rician_gain(key: jax.Array, shape: tuple, factor: float) -> jax.Array:
    """Power of a line of sight with scattering around it, of mean 1.

        |sqrt(K / (K + 1)) + sqrt(1 / (K + 1)) z|^2,   z complex normal, E|z|^2 = 1.

    Args:
        key: random key.
        shape: of the draw.
        factor: K, the line of sight's share over the rest, 0 (Rayleigh) or more and
            finite; ValueError otherwise.
    """
    if not 0.0 <= single(factor) < math.inf:
        raise ValueError(
            f"rician_gain: the factor must be finite and 0 or more, got {factor=}"
        )
    scatter = jax.random.normal(key, (2, *shape)) / jnp.sqrt(2.0 * (factor + 1.0))
    real, imaginary = scatter
    return jnp.square(jnp.sqrt(factor / (factor + 1.0)) + real) + jnp.square(imaginary)


def poisson_sir(
    key: jax.Array, shape: tuple, exponent: float, num_interferers: int = 200
) -> tuple[jax.Array, jax.Array]:
    """Links among equal transmitters strewn over the plane as a Poisson process.

    A client is served by the nearest; all the others interfere, each through Rayleigh
    fading of its own. In units of the density, pi r_k^2 of the k-th nearest is a sum of
    k exponentials, so the density drops out. Transmitters beyond the ones drawn
    contribute their mean, n^(1 - a/2) / (a/2 - 1).

    Args:
        key: random key.
        shape: of the draw.
        exponent: a of the path loss, above 2 (the interference is infinite at 2);
            ValueError otherwise.
        num_interferers: how many are drawn, 1 or more.

    Returns:
        (mean, fading): the signal over the interference before the signal's own fading,
        and that fading; their product is the signal-to-interference ratio.
    """
    if not 2.0 < single(exponent) < math.inf:
        raise ValueError(
            f"poisson_sir: exponent must be finite and above 2, got {exponent=}"
        )
    key_place, key_others, key_own = jax.random.split(key, 3)
    steps = jax.random.exponential(key_place, (*shape, num_interferers + 1))
    received = jnp.power(jnp.cumsum(steps, axis=-1), -exponent / 2.0)
    fading = jax.random.exponential(key_others, (*shape, num_interferers))
    half = exponent / 2.0
    rest = (num_interferers + 1.0) ** (1.0 - half) / (half - 1.0)
    interference = jnp.sum(received[..., 1:] * fading, axis=-1) + rest
    return received[..., 0] / interference, jax.random.exponential(key_own, shape)
