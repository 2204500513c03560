"""EF-signSGD: one bit a coordinate, with error feedback (Karimireddy et al. 2019).

    python -m experiments.main --config=configs/mnist_ef_sign.py

COST
"""

from configs import default


def get_config():
    config = default.get_config()
    config.compressor.quantizer = "sign"
    config.compressor.memory = "error_feedback"
    return config
