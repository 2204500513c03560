"""MNIST, ten clients, all at work: bits to 90 ... 99 %, three seeds.

    python -m experiments.main --config=configs/records/mnist_10.py --workdir=runs/records

IID; docs/records.md has the table.
"""

from flq_jax.configs import default
from flq_jax.configs.records import _rows


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every row and seed."""
    return _rows.all_at_work("mnist")
