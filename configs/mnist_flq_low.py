"""FLQ (Low-bitwidth): 8 bits everywhere (Ning et al. 2023, Table I).

    python -m experiments.main --config=configs/mnist_flq_low.py

About 20 s; test accuracy at least 0.906 with 6.2e8 uplink bits. The published 0.9338
is another network's: see `mnist_flq_low_mlp`.
"""

from configs import default


def get_config():
    config = default.get_config()
    config.model.weight_bits = 8
    config.model.activation_bits = 8
    config.model.gradient_bits = 8
    config.compressor.quantizer = "uniform"
    config.compressor.bits = 8
    config.compressor.memory = "innovation"
    config.compressor.lazy = True
    config.downlink.quantizer = "uniform"
    return config
