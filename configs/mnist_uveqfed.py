"""UVeQFed: 4 bits an entry on hexagons with subtractive dither (Shlezinger et al. 2020).

    python -m experiments.main --config=configs/mnist_uveqfed.py

3.14e8 uplink bits (4 x 7850 + 32 a message), before entropy coding.
"""

from configs import default


def get_config():
    config = default.get_config()
    config.compressor.quantizer = "uveqfed"
    return config
