"""Signum with a majority vote: one bit each way (Bernstein et al. 2018).

python -m experiments.main --config=configs/mnist_signum.py

About 12 s; test accuracy 0.906 with 7.85e7 uplink bits and 7.9e6 downlink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.compressor.quantizer = "plain_sign"
    config.compressor.momentum = 0.9
    config.server.aggregate = "vote"
    config.server.learning_rate = 1e-3
    config.downlink.quantizer = "sign"
    config.downlink.memory = "innovation"
    return config
