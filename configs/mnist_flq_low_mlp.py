"""FLQ (Low-bitwidth) on 784-128-10, the network that its published accuracy fits.

    python -m experiments.main --config=configs/mnist_flq_low_mlp.py

COST
"""

from configs import mnist_flq_low


def get_config():
    config = mnist_flq_low.get_config()
    config.rounds = 3000
    config.l2 = 0.008
    config.model.name = "mlp"
    config.model.hidden = (128,)
    config.log.every = 100
    return config
