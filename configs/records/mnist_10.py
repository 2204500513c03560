"""MNIST, ten clients, all at work: bits to 90 ... 99.2 %, three seeds.

    python -m experiments.main --config=configs/records/mnist_10.py --workdir=runs/records
    python -m experiments.audit --config=configs/records/mnist_10.py

IID, Dirichlet 0.3 and 0.1; docs/records.md has the table.
"""

from flq_jax.configs.records import _rows


def get_config():
    """The record's row, as `experiments.audit` takes it."""
    return _rows.all_at_work_config("mnist", _rows.RECORD, 1)


def sweep():
    """name -> config of every row and seed."""
    return _rows.all_at_work("mnist")
