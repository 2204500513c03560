"""UVeQFed: 4 bits an entry on hexagons with subtractive dither (Shlezinger et al. 2020).

    python -m experiments.main --config=configs/mnist_uveqfed.py

A message is 4 x 7850 + 32 bits, before entropy coding.
Test accuracy 0.907 after 1,000 rounds with 3.14e8 uplink bits.
"""

from flq_jax.configs import default


def get_config():
    config = default.get_config()
    config.let.bits = 4
    config.uplink = 'direct(uveqfed("hexagonal", bits))'
    return config
