"""The radio of Tran et al. (2019, Sec. VI): 50 m, up to 1 W, 0.3 to 2 GHz.

    python -m experiments.main --config=configs/wireless_fedl.py

FEDL's clients in a joint plan: path gain -40 dB at 1 m, 1e-10 W of noise on 1 MHz, at
both ends of the link, and no packet errors: a message sent at the channel's rate
arrives. All are heard, the far ones with fewer bits.

Not Tran et al.'s are the blocks of 1 MHz side by side (they share one, in turn), the
round's deadline of 50 ms and 0.1 J (they have prices of time and energy), the least
power, which is 0.2 W there, the common fastest clock, and places of equal density.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.cell.inner_m = 2.0
    config.cell.radius_m = 50.0
    config.cell.exponent = 4.0
    config.cell.gain_db = -40.0
    config.cell.power_w = 1.0
    config.cell.interference_low_w = 1e-10
    config.cell.interference_high_w = 1e-10
    config.cell.downlink_interference_w = 1e-10
    config.cell.waterfall = 0.0
    config.cell.frequency_low_hz = 0.3e9
    config.cell.frequency_high_hz = 2e9
    config.cell.capacitance = 1e-28
    config.cell.budget_j = 0.1
    return config
