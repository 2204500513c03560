"""The published parameters of Tran et al. (2019) and Chen et al. (2021), as data."""

from typing import Any

import jax
import jax.numpy as jnp

from flq_jax.wireless.cell import Cell
from flq_jax.wireless.channel import (
    disk,
    distance_m,
    noise_w,
    power_law_gain,
    rayleigh_gain,
)

# Tran et al. 2019, Sec. VI.
FEDL: dict[str, Any] = {
    "bandwidth_hz": 1e6,
    "noise_w": 1e-10,
    "power_min_w": 0.2,
    "power_max_w": 1.0,
    "frequency_min_hz": 0.3e9,
    "frequency_max_hz": (1e9, 2e9),  # uniform
    "cycles_per_bit": (10.0, 30.0),  # uniform
    "data_bits": (5 * 8 * 2.0**20, 10 * 8 * 2.0**20),  # uniform, 5 to 10 MB
    "capacitance": 1e-28,  # alpha / 2
    "distance_m": (2.0, 50.0),  # uniform
    "reference_gain": 1e-4,  # -40 dB at 1 m
    "exponent": 4.0,
    "message_nats": 25e3,
}

# Chen et al. 2021, Table II; the waterfall threshold is 0.023 dB.
CHEN: dict[str, Any] = {
    "radius_m": 500.0,
    "exponent": 2.0,
    "power_max_w": 0.01,
    "noise_dbm_per_hz": -174.0,
    "block_hz": 1e6,
    "downlink_hz": 20e6,
    "downlink_power_w": 1.0,
    "frequency_hz": 1e9,
    "capacitance": 1e-27,
    "cycles_per_bit": 40.0,
    "deadline_s": 0.5,
    "budget_j": 0.003,
    "waterfall": 10**0.0023,
    "interference_w": (1e-8, 11e-8),  # from the first block to the last
    "downlink_interference_w": 0.18e-6,
    "bits_per_parameter": 16,
}


def fedl_clients(key: jax.Array, num_clients: int) -> dict[str, jax.Array | float]:
    """Random clients as in Tran et al.: the arguments of `fedl.joint_optimum`.

    All but `price_w`, the price of time, 5e-5 to 1e3 there.
    """
    keys = jax.random.split(key, 5)

    def uniform(key, name):
        low, high = FEDL[name]
        return jax.random.uniform(key, (num_clients,), minval=low, maxval=high)

    path = power_law_gain(
        uniform(keys[3], "distance_m"), FEDL["exponent"], FEDL["reference_gain"]
    )
    gain = path * rayleigh_gain(keys[4], (num_clients,))
    return {
        "cycles": uniform(keys[0], "cycles_per_bit") * uniform(keys[1], "data_bits"),
        "num_bits": jnp.full(num_clients, FEDL["message_nats"] / jnp.log(2.0)),
        "capacitance": FEDL["capacitance"],
        "frequency_min_hz": jnp.full(num_clients, FEDL["frequency_min_hz"]),
        "frequency_max_hz": uniform(keys[2], "frequency_max_hz"),
        "snr_per_w": gain / FEDL["noise_w"],
        "bandwidth_hz": FEDL["bandwidth_hz"],
        "power_min_w": FEDL["power_min_w"],
        "power_max_w": FEDL["power_max_w"],
    }


def chen_cell(key: jax.Array, num_clients: int = 15, num_blocks: int = 12) -> Cell:
    """A cell as in Chen et al.: a disk of 500 m, the first metre of it left free.

    The CPU runs at one speed; interference grows from block to block.
    """
    distance = distance_m(disk(key, num_clients, 1.0, CHEN["radius_m"]))
    clients = jnp.ones(num_clients)
    density = CHEN["noise_dbm_per_hz"]
    first_w, last_w = CHEN["interference_w"]
    downlink_noise_w = noise_w(CHEN["downlink_hz"], density)
    return Cell(
        path_gain=power_law_gain(distance, CHEN["exponent"]),
        interference_w=jnp.linspace(first_w, last_w, num_blocks),
        block_hz=jnp.asarray(CHEN["block_hz"]),
        noise_w=noise_w(CHEN["block_hz"], density),
        power_max_w=CHEN["power_max_w"] * clients,
        frequency_min_hz=CHEN["frequency_hz"] * clients,
        frequency_max_hz=CHEN["frequency_hz"] * clients,
        capacitance=CHEN["capacitance"] * clients,
        downlink_hz=jnp.asarray(CHEN["downlink_hz"]),
        downlink_power_w=jnp.asarray(CHEN["downlink_power_w"]),
        downlink_noise_w=downlink_noise_w + CHEN["downlink_interference_w"],
        deadline_s=jnp.asarray(CHEN["deadline_s"]),
        budget_j=CHEN["budget_j"] * clients,
        waterfall=jnp.asarray(CHEN["waterfall"]),
    )
