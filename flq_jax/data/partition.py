"""Who holds which examples: a data set's rows, dealt to the clients.

Every function takes `labels`, `clients` and `seed` and returns one index array a client,
i64[n_m], ascending. Together they hold every row 0..n-1 exactly once (but for `natural`,
which takes users and may leave some out), and the same seed gives the same arrays.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flq_jax.arguments import is_integer
from flq_jax.data.dealing import Parts, Seed, are_classes, ascending, require_clients
from flq_jax.data.skew import dirichlet, k_labels, quantity_skew, shards

__all__ = [
    "contiguous",
    "dirichlet",
    "iid",
    "k_labels",
    "natural",
    "quantity_skew",
    "shards",
]


def contiguous(labels: np.ndarray, clients: int, seed: Seed = 0) -> Parts:
    """Client m gets rows m n / M .. (m + 1) n / M - 1 (as Sun et al. 2019).

    If M does not divide n, the first n mod M clients get one row more.

    Args:
        labels: i32[n]; only n matters.
        clients: M in 1..n; ValueError otherwise.
        seed: not used, nothing is random.
    """
    del seed
    n = require_clients("contiguous", labels, clients)
    return tuple(np.array_split(np.arange(n), clients))


def iid(labels: np.ndarray, clients: int, seed: Seed = 0) -> Parts:
    """Shuffles the rows and deals them as `contiguous` does (McMahan et al. 2017).

    Args:
        labels: i32[n]; only n matters.
        clients: M in 1..n; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
    """
    n = require_clients("iid", labels, clients)
    order = np.random.default_rng(seed).permutation(n)
    return ascending(np.array_split(order, clients))


def natural(users: np.ndarray | None, clients: int, seed: Seed = 0) -> Parts:
    """Each client holds the examples of one user (Caldas et al. 2018, LEAF).

    Of more users than clients, as many are drawn as there are clients; the examples of
    the others are nobody's.

    Args:
        users: i32[n], whose each row is, 0..U-1, each of them with one row or more;
            ValueError for None, of a data set without users.
        clients: M in 1..U; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
    """
    if users is None:
        raise ValueError(
            "natural: the data set must have users, got one without (an npz file says "
            "them in train_users)"
        )
    there, whose = np.unique(users, return_inverse=True)
    if not is_integer(clients) or not 1 <= clients <= len(there):
        raise ValueError(
            f"natural: clients must be in 1..{len(there)}, the number of users, got "
            f"{clients=}"
        )
    chosen = np.arange(clients)
    if clients < len(there):
        draw = np.random.default_rng(seed)
        chosen = np.sort(draw.choice(len(there), clients, replace=False))
    by_user = np.argsort(whose, kind="stable")
    ends = np.cumsum(np.bincount(whose))
    each = np.split(by_user, ends[:-1])
    return tuple(each[user] for user in chosen)


def require_parts(parts: Sequence[np.ndarray], clients: int, rows: int) -> None:
    """Raises ValueError unless it is one array of rows 0..rows-1 for each client."""

    def of_rows(part):
        if not isinstance(part, np.ndarray) or part.ndim != 1:
            return False
        whole = part.dtype.kind in "iu"
        return whole and (not part.size or 0 <= part.min() <= part.max() < rows)

    if len(parts) != clients or not all(map(of_rows, parts)):
        raise ValueError(
            f"must be {clients} arrays, the rows of each client, integers in "
            f"0..{rows - 1}, got {len(parts)} parts"
        )


class Summary(NamedTuple):
    """A partition in figures.

    Attributes:
        sizes: examples of each client, i64[M].
        histogram: examples by client and label, i64[M, K], of targets that are no
            classes i64[M, 1]; rows add up to `sizes`.
        digest: hex SHA-256 of the index arrays; equal for equal partitions alone.
    """

    sizes: np.ndarray
    histogram: np.ndarray
    digest: str


def summary(parts: Sequence[np.ndarray], labels: np.ndarray) -> Summary:
    """Sizes, label histogram and digest of a partition of `labels`, [n, ...]."""
    if not are_classes(labels):
        labels = np.zeros(len(labels), np.int32)
    num_classes = int(labels.max()) + 1
    sizes = np.array([len(part) for part in parts], np.int64)
    histogram = [np.bincount(labels[part], minlength=num_classes) for part in parts]
    total = hashlib.sha256(sizes.astype("<i8").data)
    for part in parts:
        total.update(part.astype("<i8").data)
    return Summary(sizes, np.stack(histogram), total.hexdigest())
