"""The best channels; the rest as in wireless_joint.

    python -m experiments.main --config=configs/wireless_best_channel.py

Cheap rounds, and clients at the edge that are hardly ever heard.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(best_channel(scheduled), thrift=0.5)"
    return config
