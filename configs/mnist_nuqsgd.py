"""NUQSGD: 4 bits, powers of two in buckets (Ramezani-Kebrya et al. 2021).

    python -m experiments.main --config=configs/mnist_nuqsgd.py

A message about the 7,850 parameters is 33,384 bits.
Test accuracy 0.907 after 1,000 rounds with 3.34e8 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 4
    config.uplink = "direct(bucketed(nuqsgd(bits), 128))"
    return config
