"""Hungarian assignment of blocks, as Chen et al. (2021) have it.

    python -m experiments.main --config=configs/wireless_chen.py

The clock runs at full speed, and the power is the most that a round's energy budget
allows, for the fewest packet errors.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = 'cell(all_eligible(), effort="budget")'
    return config
