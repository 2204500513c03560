"""Gradient descent, logistic regression on MNIST (Sun et al. 2019, Table 2).

    python -m experiments.main --config=configs/mnist_gd.py

COST
"""

from configs import default


def get_config():
    config = default.get_config()
    config.rounds = 4000
    config.client.batch = 0
    config.stop.residual = 1e-6
    return config
