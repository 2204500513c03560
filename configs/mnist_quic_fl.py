"""QUIC-FL: one bit an entry with shared randomness (Basat et al. 2024).

    python -m experiments.main --config=configs/mnist_quic_fl.py

8.22e7 uplink bits (8192 + 32 a message).
"""

from configs import default


def get_config():
    config = default.get_config()
    config.compressor.quantizer = "quic_fl"
    return config
