"""ALQ: 4 bits, levels of least variance (Faghri et al. 2020).

    python -m experiments.main --config=configs/mnist_alq.py

A message about the 7,850 parameters is 31,624 bits.
Test accuracy 0.907 after 1,000 rounds with 3.16e8 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 4
    config.uplink = "direct(alq(bits))"
    return config
