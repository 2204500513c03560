"""SLAQ: 3-bit innovations of minibatch gradients, lazily aggregated (Sun et al. 2019).

    python -m experiments.main --config=configs/mnist_slaq.py

About 15 s; test accuracy 0.903 with 8,402 uploads, over five seeds 8,311 +- 165
(published: 8,255). As in LAQ's released code a worker draws one of its 12 fixed batches
of 500, so that one round in twelve brings nothing new; with examples drawn anew there
are 8,945.
"""

from flq_jax.configs import mnist_sgd


def get_config():
    config = mnist_sgd.get_config()
    config.let.bits = 3
    config.let.xi = 0.8
    config.client = "gradient(batch=500, draw=one_of_fixed)"
    config.uplink = "lazy(innovation(uniform(bits)), weight=xi, error_weight=1.5)"
    return config
