"""Fashion-MNIST, a hundred clients, ten a round: IID, Dirichlet 0.3 and 0.1.

    python -m experiments.main --config=configs/records/fashion_100.py --workdir=runs/records

docs/records.md says what was run.
"""

from flq_jax.configs import default
from flq_jax.configs.records import _rows


def get_config():
    return default.get_config()


def sweep():
    """name -> config of every split, row and seed."""
    return _rows.a_tenth_at_work("fashion_mnist")
