"""QUIC-FL: one bit an entry with shared randomness (Basat et al. 2024).

    python -m experiments.main --config=configs/mnist_quic_fl.py

A message is 8192 + 32 bits.
Test accuracy 0.907 after 1,000 rounds with 8.22e7 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.uplink = "direct(quic_fl())"
    return config
