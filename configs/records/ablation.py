"""What each part of the record's row is worth: MNIST, ten clients, one thing changed.

    python -m experiments.main --config=configs/records/ablation.py --workdir=runs/ablation

Seed 0, on which the row was chosen.
"""

from flq_jax.configs import default
from flq_jax.configs.records import _rows


def get_config():
    return default.get_config()


def sweep():
    """name -> config of the row and of each change."""
    record = _rows.ROWS["record"]
    changed = {
        "record": record,
        "two_epochs": record._replace(epochs=2),
        "floats_down": record._replace(downlink="exact()"),
        "signs_down": record._replace(downlink="innovation(sign())"),
        "adopted_signs_down": record._replace(
            downlink="compressed(innovation(sign()), adopted=True)"
        ),
        "fifth_of_a_bit_up": record._replace(uplink="direct(eden(0.2))"),
        "twentieth_of_a_bit_up": record._replace(uplink="direct(eden(0.05))"),
        "wide": record._replace(model=_rows.WIDE),
    }
    return {
        name: _rows.all_at_work_config("mnist", row, 0) for name, row in changed.items()
    }
