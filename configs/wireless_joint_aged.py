"""Joint choice in which a message is worth more the longer its client was not heard.

    python -m experiments.main --config=configs/wireless_joint_aged.py

The Hungarian method weighs examples times age, so that cheap clients are taken first and
the far ones in their turn; the rest as in wireless_joint.
"""

from flq_jax.configs import wireless_joint


def get_config():
    config = wireless_joint.get_config()
    config.network = 'cell(all_eligible(), thrift=0.5, worth="age")'
    return config
