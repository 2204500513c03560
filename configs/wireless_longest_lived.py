"""Batteries that empty: those with most energy left take part.

    python -m experiments.main --config=configs/wireless_longest_lived.py

Each client has 0.1 J for the whole run; the rest as in wireless_joint.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(longest_lived(scheduled), thrift=0.5, battery_j=0.1)"
    return config
