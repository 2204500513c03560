"""DRIVE: the signs of the rotated gradient, unbiased (Vargaftik et al. 2021).

    python -m experiments.main --config=configs/mnist_drive.py

Test accuracy 0.907 with 8.22e7 uplink bits (8192 + 32 a message).
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.uplink = "direct(drive())"
    return config
