"""The records' tables, whole: every data set, split, row and seed, in one command.

    python -m experiments.launch --config=configs/records/everything.py --cores=1 --workdir=runs/records
    python docs/records.py --workdir=runs/records

Given again, it runs what is not finished. docs/records.md has the figures.
"""

from flq_jax.configs import default
from flq_jax.configs.records import fashion_10, fashion_100, mnist_10, mnist_100


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every run."""
    files = mnist_10, fashion_10, mnist_100, fashion_100
    return {name: config for file in files for name, config in file.sweep().items()}
