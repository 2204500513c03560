"""Writes users.npz: MNIST as if each of twenty users saw four digits, with her own pen.

python make_users.py
"""

import numpy as np

from flq_jax import data

USERS, EACH = 20, 100


def main() -> None:
    given, rng = data.mnist(), np.random.default_rng(0)
    rows = []
    for _ in range(USERS):
        seen = np.isin(given.train_labels, rng.choice(10, 4, replace=False))
        rows.append(rng.choice(np.flatnonzero(seen), EACH, replace=False))
    rows = np.concatenate(rows)
    pens = np.repeat(rng.uniform(0.6, 1.0, USERS), EACH)[:, None, None]
    np.savez_compressed(
        "users.npz",
        train_inputs=(given.train_inputs[rows] * pens).astype(np.uint8),
        train_labels=given.train_labels[rows],
        train_users=np.repeat([f"user {m:02d}" for m in range(USERS)], EACH),
        test_inputs=given.test_inputs[:2000],
        test_labels=given.test_labels[:2000],
    )


if __name__ == "__main__":
    main()
