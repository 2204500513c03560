"""Signum with a majority vote: one bit each way (Bernstein et al. 2018).

python -m experiments.main --config=configs/mnist_signum.py

About 12 s; test accuracy 0.906 with 7.85e7 uplink bits and 7.9e6 downlink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.beta = 0.9
    config.step = "1e-3"
    config.uplink = "momentum(direct(sign(1.0)), beta)"
    config.downlink = "innovation(segmented(sign()))"
    config.aggregate = "MAJORITY_VOTE"
    return config
