"""Fixed point, 8 bits, rounded at random (Gupta et al. 2015).

    python -m experiments.main --config=configs/mnist_fixed_point.py

A message about the 7,850 parameters is 62,800 bits. The range is [-1/4, 1/4): in 1,000
rounds no gradient of softmax regression lies outside, which would be an overload.
Test accuracy 0.907 after 1,000 rounds with 6.28e8 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 8
    config.let.fraction = 9
    config.uplink = "direct(fixed_point(bits, fraction))"
    return config
