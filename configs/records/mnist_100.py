"""MNIST, a hundred clients, ten a round: IID, Dirichlet 0.3 and 0.1, three seeds.

    python -m experiments.main --config=configs/records/mnist_100.py --workdir=runs/records
    python -m experiments.audit --config=configs/records/mnist_100.py

docs/records.md says what was run.
"""

from flq_jax.configs.records import _rows


def get_config():
    """The record's row under Dirichlet(0.3), as `experiments.audit` takes it."""
    row = _rows.ROWS_OF_A_TENTH["record"]
    return _rows.a_tenth_at_work_config("mnist", row, "dirichlet_0.3", 1)


def sweep():
    """name -> config of every split, row and seed."""
    return _rows.a_tenth_at_work("mnist")
