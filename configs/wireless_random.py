"""Random clients; blocks, widths, powers and clocks as in wireless_joint.

    python -m experiments.main --config=configs/wireless_random.py

What the choice of clients alone is worth (Yang et al. 2020, RS).
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(random(scheduled), thrift=0.5)"
    return config
