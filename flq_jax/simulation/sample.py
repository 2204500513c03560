"""The training examples that the train loss of a line of figures is of."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from flq_jax.data.clients import ClientData, client_data

# Beside the seed, lest the sample follow a split that is drawn by the seed alone.
STREAM = 1


def require_share(where: str, share: float) -> None:
    """Raises ValueError unless it is a number from 0, no loss, to 1, that of all."""
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if not number or not 0 <= share <= 1:
        raise ValueError(f"{where}: train_loss must be from 0 to 1, got {share!r}")


def sampled_size(count: int, share: float) -> int:
    """ceil(share n) of n examples, of the share as it is written: 0.07 of 100 are 7."""
    return math.ceil(Fraction(str(share)) * count)


def sampled_rows(parts: Sequence[np.ndarray], share: float, seed: int) -> np.ndarray:
    """A sample of all clients' rows without replacement, i64[ceil(share n)], ascending.

    Whatever the devices and processes, the same seed gives the same rows.

    Args:
        parts: for each client the rows it holds, n in all.
        share: 0 to 1.
        seed: of the run, 0 or more.
    """
    rows = np.sort(np.concatenate(parts))
    draw = np.random.default_rng([seed, STREAM])
    chosen = draw.choice(rows, sampled_size(len(rows), share), replace=False)
    return np.sort(chosen).astype(np.int64)


def sampled(
    inputs: np.ndarray,
    targets: np.ndarray,
    parts: Sequence[np.ndarray],
    share: float,
    seed: int,
) -> ClientData | None:
    """The examples of the sample as one client's, in numpy; None: all, as they lie.

    Args:
        inputs, targets: [n, ...], see `client_data`; inputs stay as they are.
        parts, share, seed: see `sampled_rows`. Of share 0 there are none, [1, 0, ...].
    """
    if share == 1:
        return None
    rows = sampled_rows(parts, share, seed)
    if rows.size:
        return client_data(inputs, targets, [rows])
    none = client_data(inputs[:1], targets[:1], [np.arange(1)])
    return none._replace(
        inputs=none.inputs[:, :0], labels=none.labels[:, :0], sizes=none.sizes * 0
    )
