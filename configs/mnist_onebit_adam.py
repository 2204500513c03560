"""1-bit Adam: floats for 100 rounds, then one bit a coordinate each way (Tang et al. 2021).

python -m experiments.main --config=configs/mnist_onebit_adam.py

About 15 s; test accuracy 0.909 with 3.22e8 uplink bits, of which 2.51e8 in the warm-up,
and 3.22e7 downlink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.warm_up = 100
    config.compressor.quantizer = "sign"
    config.compressor.memory = "error_feedback"
    config.compressor.momentum = 0.9
    config.downlink.quantizer = "sign"
    config.downlink.memory = "innovation"
    config.server.optimizer = "onebit_adam"
    config.server.aggregate = "mean"
    config.server.learning_rate = 3e-3
    config.server.epsilon = 1e-3
    return config
