"""Random clients on random blocks of equal width at full power: nothing is chosen.

    python -m experiments.main --config=configs/wireless_equal.py

What joint optimisation is to be compared with: the band is split equally, and clock and
power are the highest there are, whatever the round's energy budget.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = (
        'cell(random(scheduled), assignment="random", effort="full", most_loss=1.0)'
    )
    return config
