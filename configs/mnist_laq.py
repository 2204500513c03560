"""LAQ: 4-bit innovations, lazily aggregated (Sun et al. 2019, Table 2).

    python -m experiments.main --config=configs/mnist_laq.py

COST
"""

from configs import mnist_qgd


def get_config():
    config = mnist_qgd.get_config()
    config.compressor.lazy = True
    return config
