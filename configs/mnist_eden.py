"""EDEN at half a bit an entry, by shared random sampling (Vargaftik et al. 2022).

    python -m experiments.main --config=configs/mnist_eden.py

A message is 4096 + 32 bits.
Test accuracy 0.907 after 1,000 rounds with 4.13e7 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 0.5
    config.uplink = "direct(eden(bits))"
    return config
