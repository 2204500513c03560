"""Quantized gradient descent with 4-bit innovations (Sun et al. 2019, Table 2).

    python -m experiments.main --config=configs/mnist_qgd.py

COST
"""

from configs import mnist_gd


def get_config():
    config = mnist_gd.get_config()
    config.compressor.quantizer = "uniform"
    config.compressor.memory = "innovation"
    return config
