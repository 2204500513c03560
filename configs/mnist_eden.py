"""EDEN at half a bit an entry, by shared random sampling (Vargaftik et al. 2022).

    python -m experiments.main --config=configs/mnist_eden.py

4.13e7 uplink bits (4096 + 32 a message).
"""

from configs import default


def get_config():
    config = default.get_config()
    config.compressor.quantizer = "eden"
    config.compressor.rate = 0.5
    return config
