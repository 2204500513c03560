"""Clients in turn; the rest as in wireless_joint.

    python -m experiments.main --config=configs/wireless_round_robin.py

Yang et al. (2020), RR: a turn passes unused if its client cannot be served.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(round_robin(scheduled), thrift=0.5)"
    return config
