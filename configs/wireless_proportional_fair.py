"""Those whose channel is good against their own mean; the rest as in wireless_joint.

    python -m experiments.main --config=configs/wireless_proportional_fair.py

Yang et al. (2020), PF: fading is used, and yet the far are heard.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = "cell(proportional_fair(scheduled), thrift=0.5)"
    return config
