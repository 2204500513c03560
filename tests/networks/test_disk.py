"""The cell of a config: who is where, with which radio."""

import jax
import numpy as np
import pytest

from flq_jax import keys, networks
from flq_jax.configs import default, wireless_fedl, wireless_joint
from flq_jax.networks import disk
from flq_jax.wireless import presets

CLIENTS = 12


def placed(config, root):
    group = {k: v for k, v in config.items() if k != "bit_operations_a_cycle"}
    return networks.place(root, CLIENTS, **group)


def where(config, root):
    return networks.positions_m(root, CLIENTS, config.inner_m, config.radius_m)


MOST_LOSS = 0.3  # the default of `cell`


def test_a_cell_is_the_same_under_every_policy_and_of_the_seed():
    config = wireless_joint.get_config()
    root = keys.seed_key(config.seed)
    config.cell.inner_m, config.cell.exponent = 1.0, 2.0
    place = placed(config.cell, root)
    distance = np.linalg.norm(where(config.cell, root), axis=1)
    np.testing.assert_allclose(place.path_gain, distance**-2.0, rtol=1e-5)
    other = placed(config.cell, keys.seed_key(1))
    assert not np.any(np.asarray(place.path_gain) == other.path_gain)


def test_the_default_radio_is_that_of_chen_et_al():
    cell, chen = default.get_config().cell, presets.CHEN
    for option in (
        *("radius_m", "exponent", "power_w", "block_hz", "downlink_hz", "budget_j"),
        *("downlink_power_w", "downlink_interference_w", "capacitance", "deadline_s"),
    ):
        name = "power_max_w" if option == "power_w" else option
        assert cell[option] == pytest.approx(chen[name]), option
    assert cell.waterfall == pytest.approx(chen["waterfall"], rel=1e-4)
    assert cell.frequency_high_hz == chen["frequency_hz"]
    assert disk.NOISE_DBM_PER_HZ == chen["noise_dbm_per_hz"]
    low, high = chen["interference_w"]
    assert (cell.interference_low_w, cell.interference_high_w) == (low, high)


def test_fedls_radio_is_that_of_tran_et_al():
    cell, fedl = wireless_fedl.get_config().cell, presets.FEDL
    assert (cell.inner_m, cell.radius_m) == fedl["distance_m"]
    assert 10 ** (cell.gain_db / 10) == pytest.approx(fedl["reference_gain"])
    assert cell.interference_low_w == cell.interference_high_w == fedl["noise_w"]
    assert cell.downlink_interference_w == fedl["noise_w"]
    assert cell.waterfall == 0.0
    assert cell.power_w == fedl["power_max_w"]
    assert cell.frequency_low_hz == fedl["frequency_min_hz"]
    assert cell.frequency_high_hz == fedl["frequency_max_hz"][1]
    for option in ("exponent", "capacitance"):
        assert cell[option] == fedl[option]


def test_fedls_clients_can_be_heard():
    """Each on some block, by one bit a weight, in more than a third of the rounds."""
    config = wireless_fedl.get_config().cell
    place = placed(config, keys.seed_key(0))
    cell = jax.tree.map(np.asarray, place._asdict())
    gain = np.random.default_rng(0).exponential(size=(1000, 7, CLIENTS))
    gain *= cell["path_gain"]
    noise_w = cell["noise_w"] + cell["interference_w"][0]
    snr_per_w, snr = gain[:, 1:] / noise_w, gain[:, :1] / cell["downlink_noise_w"]
    start_s = (8 * 7850 + 32) / (cell["downlink_hz"] * np.log2(1 + snr))
    rest_s = np.maximum(cell["deadline_s"] - start_s, 1e-6)
    with np.errstate(over="ignore"):
        needed = np.expm1((7850 + 32) * np.log(2) / (cell["block_hz"] * rest_s))
    least_snr = cell["waterfall"] / -np.log1p(-MOST_LOSS)
    power_w = np.maximum(needed, least_snr) / snr_per_w
    heard = (power_w <= config.power_w) & (power_w * rest_s <= config.budget_j)
    assert np.all(heard.any(axis=1).mean(axis=0) > 1 / 3)
