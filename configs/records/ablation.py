"""How the record's row came about: MNIST, ten clients, seed 0, one thing changed at a time.

    python -m experiments.main --config=configs/records/ablation.py --workdir=runs/ablation
    python docs/records.py --workdir=runs/ablation

`mnist-first-...` have one epoch in batches of 20 at a rate of 0.1 and 3,416 parameters,
`mnist-then-...` batches of 50 at 0.2 and 3,951, `mnist-last-...` four convolutions and
4,086, `mnist-wider-...` three and 6,898. docs/records.md has the figures.
"""

from flq_jax.configs import default
from flq_jax.configs.records import _rows

EDEN = "direct(eden(0.1))"
FLOATS = "direct(identity())"
SHARED_OUT, RELAYED = _rows.SHARED_OUT, _rows.RELAYED
TOP = "innovation(entropy_coded(top_k(0.1, d, values=sign())))"
ADOPTED = f"compressed({TOP}, adopted=True)"
SIGNS = "innovation(sign())"
EDEN_DOWN = "innovation(eden(1.0, False))"
FIRST = {
    "signs_down": _rows.Row(EDEN, SIGNS, 25),
    "floats_both": _rows.Row(FLOATS),
    "floats_up": _rows.Row(FLOATS, SIGNS, 15),
    "floats_down": _rows.Row(EDEN, rounds=15),
    "eden_down": _rows.Row(EDEN, EDEN_DOWN, 20),
    "adopted_signs": _rows.Row(EDEN, f"compressed({SIGNS}, adopted=True)", 20),
    "adopted_top_k": _rows.Row(EDEN, ADOPTED, 20),
    "error_feedback": _rows.Row("error_feedback(eden(0.1, False))", SIGNS, 20),
    "top_k": _rows.Row(
        "error_feedback(entropy_coded(top_k(0.01, d, values=sign())))", rounds=15
    ),
}
THEN = {
    "two_epochs": _rows.Row(EDEN, EDEN_DOWN),
    "four_epochs": _rows.Row(EDEN, EDEN_DOWN, epochs=4),
    "adopted": _rows.Row(EDEN, f"compressed({EDEN_DOWN}, adopted=True)", epochs=4),
    "adopted_top_k": _rows.Row(EDEN, ADOPTED, epochs=4),
    "fifth_of_a_bit": _rows.Row("direct(eden(0.2))", EDEN_DOWN, epochs=4),
    "perm_k": _rows.Row(SHARED_OUT, f"compressed({EDEN_DOWN}, adopted=True)", 8, 4),
    "perm_k_floats_down": _rows.Row(SHARED_OUT, rounds=8, epochs=4),
    "relayed": _rows.Row(SHARED_OUT, RELAYED, 8, 4),
    "twentieth_of_a_bit": _rows.Row("direct(eden(0.05))", EDEN_DOWN, 16, 4),
}
FLOATS_TOO = _rows.Row(FLOATS, rounds=22, epochs=4)
SHARED = _rows.Row(SHARED_OUT, RELAYED, 22, 4)
LAST = {
    "deeper": SHARED._replace(moved=False, rounds=8),
    "moved": SHARED,
    "floats_both": FLOATS_TOO,
    "slower_server": SHARED._replace(
        server="optax.sgd(optax.linear_schedule(1.0, 0.1, rounds))"
    ),
    "eight_epochs": SHARED._replace(epochs=8),
}
WIDER = {
    "four_epochs": SHARED._replace(rounds=11),
    "eight_epochs": _rows.RECORD,
    "sixteen_epochs": _rows.RECORD._replace(rounds=6, epochs=16),
    "floats_both": FLOATS_TOO._replace(rounds=11, epochs=8),
}


def get_config():
    return default.get_config()


def sweep():
    """name -> config of each step."""
    first = {"epochs": 1, "rate": 0.1, "batch": 20, "moved": False}
    steps = {  # rows, and what all of them have
        "first": (FIRST, {"model": "CNN((5, 10, 16))", **first}),
        "then": (THEN, {"model": "CNN((8, 12, 15))", "moved": False}),
        "last": (LAST, {"model": "CNN((6, 10, 14, 16))"}),
        "wider": (WIDER, {"model": _rows.CNN}),
    }
    return {
        f"mnist-{step}-{name}": _rows.all_at_work_config(
            "mnist", row._replace(**same), 0
        )
        for step, (rows, same) in steps.items()
        for name, row in rows.items()
    }
