"""Where the clients of a cell are, and what they have there."""

from functools import partial

import jax
import jax.numpy as jnp

from flq_jax import keys
from flq_jax.networks.cell_network import positions_m
from flq_jax.wireless import channel
from flq_jax.wireless.cell import Cell

NOISE_DBM_PER_HZ = -174.0


def place(
    root: jax.Array,
    clients: int,
    *,
    blocks: int,
    inner_m: float,
    radius_m: float,
    exponent: float,
    gain_db: float,
    shadowing_db: float,
    power_w: float,
    block_hz: float,
    interference_low_w: float,
    interference_high_w: float,
    waterfall: float,
    downlink_hz: float,
    downlink_power_w: float,
    downlink_interference_w: float,
    deadline_s: float,
    budget_j: float,
    frequency_low_hz: float,
    frequency_high_hz: float,
    capacitance: float,
) -> Cell:
    """A cell whose clients are spread evenly over a disk, alike but for that.

    The gain of a client's path is gain |x|^-exponent, times log-normal shadowing; noise
    has -174 dBm/Hz.

    Args:
        root: the run's key.
        clients: M.
        blocks: R, uplink resource blocks.
        inner_m: metres around the base station without clients, above 0.
        radius_m: of the cell, above `inner_m`.
        exponent: of the path loss.
        gain_db: of the path at 1 m.
        shadowing_db: standard deviation, 0 or more.
        power_w: most that a client sends with.
        block_hz: bandwidth of a block.
        interference_low_w, interference_high_w: on the first and on the last block, and
            evenly between them.
        waterfall: of the packet errors; 0: none.
        downlink_hz: bandwidth of the broadcast.
        downlink_power_w: of the base station.
        downlink_interference_w: at each client.
        deadline_s: of a round, from the start of its broadcast.
        budget_j: what a client may spend on a round.
        frequency_low_hz, frequency_high_hz: slowest and fastest clock of a client.
        capacitance: joules a cycle, over the clock squared.
    """
    _, key = jax.random.split(keys.cell_key(root))
    distance = channel.distance_m(positions_m(root, clients, inner_m, radius_m))
    path = channel.power_law_gain(distance, exponent, channel.from_db(gain_db))
    shadowing = channel.shadowing_gain(key, (clients,), shadowing_db)
    each = partial(jnp.full, clients)
    downlink_noise_w = channel.noise_w(downlink_hz, NOISE_DBM_PER_HZ)
    return Cell(
        path_gain=path * shadowing,
        interference_w=jnp.linspace(interference_low_w, interference_high_w, blocks),
        block_hz=jnp.float32(block_hz),
        noise_w=channel.noise_w(block_hz, NOISE_DBM_PER_HZ),
        power_max_w=each(power_w),
        frequency_min_hz=each(frequency_low_hz),
        frequency_max_hz=each(frequency_high_hz),
        capacitance=each(capacitance),
        downlink_hz=jnp.float32(downlink_hz),
        downlink_power_w=jnp.float32(downlink_power_w),
        downlink_noise_w=downlink_noise_w + downlink_interference_w,
        deadline_s=jnp.float32(deadline_s),
        budget_j=each(budget_j),
        waterfall=jnp.float32(waterfall),
    )
