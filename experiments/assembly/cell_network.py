"""The cell that a config's `network` group describes."""

from functools import partial

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from flq_jax import keys, networks
from flq_jax.federated import Network
from flq_jax.networks import Work
from flq_jax.wireless import channel, scheduling
from flq_jax.wireless.cell import Cell

NOISE_DBM_PER_HZ = -174.0


def where(config: ConfigDict, root: jax.Array, clients: int) -> jax.Array:
    """Where the clients are, see `positions_m`."""
    return networks.positions_m(root, clients, config.inner_m, config.radius_m)


def place(config: ConfigDict, root: jax.Array, clients: int) -> Cell:
    """The cell that the config's `network` group describes."""
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


def scheduler(config: ConfigDict) -> scheduling.Scheduler:
    """Who takes part, of those who can."""
    if config.scheduler == "everyone":
        return scheduling.all_eligible()
    if config.scheduler == "bits_budget":
        return scheduling.bits_budget(config.budget_bits)
    return getattr(scheduling, config.scheduler)(config.scheduled)


def cell_network(config: ConfigDict, place: Cell, work: Work) -> Network:
    """The network of clients there, as the group has it."""
    return networks.cell(
        scheduler(config),
        assignment=config.assignment,
        effort=config.effort,
        thrift=config.thrift,
        most_loss=config.most_loss,
        worth=config.worth,
        rician=config.rician,
        battery_j=config.battery_j or None,
        mean_delay=config.mean_delay,
        place=place,
        work=work,
    )
