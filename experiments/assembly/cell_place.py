"""Where the clients of a config's cell are, and what they have there."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import keys, networks
from flq_jax.networks import RadioState
from flq_jax.wireless import channel
from flq_jax.wireless.cell import Cell

NOISE_DBM_PER_HZ = -174.0


def place(config: ConfigDict, root: jax.Array, clients: int) -> Cell:
    """The cell that the config's `cell` group describes."""
    _, key = jax.random.split(keys.cell_key(root))
    distance = channel.distance_m(where(config, root, clients))
    reference = channel.from_db(config.gain_db)
    path = channel.power_law_gain(distance, config.exponent, reference)
    shadowing = channel.shadowing_gain(key, (clients,), config.shadowing_db)
    each = partial(jnp.full, clients)
    downlink_noise_w = channel.noise_w(config.downlink_hz, NOISE_DBM_PER_HZ)
    return Cell(
        path_gain=path * shadowing,
        interference_w=jnp.linspace(
            config.interference_low_w, config.interference_high_w, config.blocks
        ),
        block_hz=jnp.float32(config.block_hz),
        noise_w=channel.noise_w(config.block_hz, NOISE_DBM_PER_HZ),
        power_max_w=each(config.power_w),
        frequency_min_hz=each(config.frequency_low_hz),
        frequency_max_hz=each(config.frequency_high_hz),
        capacitance=each(config.capacitance),
        downlink_hz=jnp.float32(config.downlink_hz),
        downlink_power_w=jnp.float32(config.downlink_power_w),
        downlink_noise_w=downlink_noise_w + config.downlink_interference_w,
        deadline_s=jnp.float32(config.deadline_s),
        budget_j=each(config.budget_j),
        waterfall=jnp.float32(config.waterfall),
    )


def where(config: ConfigDict, root: jax.Array, clients: int) -> jax.Array:
    """Where the clients are, see `positions_m`."""
    return networks.positions_m(root, clients, config.inner_m, config.radius_m)


def summary(
    config: ConfigDict, root: jax.Array, state: RadioState
) -> dict[str, list[Any]]:
    """Each client's place and what the run asked of it, for maps and tables."""
    return networks.summary(where(config, root, state.scheduled.size), state)
