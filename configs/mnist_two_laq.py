"""TWO-LAQ: LAQ with a broadcast of innovations as coarse as its uploads (Sun et al. 2022).

    python -m experiments.main --config=configs/mnist_two_laq.py

About 15 s; test accuracy 0.903 with 2.0e8 uplink bits and 2.4e7 downlink bits, a tenth
of SLAQ's broadcasts.
"""

from flq_jax.configs import mnist_slaq


def get_config():
    config = mnist_slaq.get_config()
    config.uplink = "lazy(innovation(uniform(bits)), weight=xi, error_weight=1.5)"
    config.downlink = "innovation(segmented(uniform(bits)))"
    return config
