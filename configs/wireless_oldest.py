"""Those who have not been heard for longest; the rest as in wireless_joint.

    python -m experiments.main --config=configs/wireless_oldest.py

Age-aware; of equals the best channel takes part.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(oldest(scheduled), thrift=0.5)"
    return config
