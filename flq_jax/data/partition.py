"""Who holds which examples: a data set's rows, dealt to the clients.

Every function takes `labels`, `clients` and `seed` and returns one index array a client,
i64[n_m], ascending. Together they hold every row 0..n-1 exactly once (but for `natural`,
which takes users and may leave some out), and the same seed gives the same arrays.
"""

import hashlib
from collections.abc import Callable, Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np

from flq_jax.arguments import is_integer

__all__ = [
    "contiguous",
    "dirichlet",
    "iid",
    "natural",
    "quantity_skew",
    "shards",
]

Parts = tuple[np.ndarray, ...]
Seed = int | np.random.Generator

MAX_ALPHA = 1e9  # shares are equal to nine digits there; beyond, their sum may overflow
MAX_DRAWS = 1000


def contiguous(labels: np.ndarray, clients: int, seed: Seed = 0) -> Parts:
    """Client m gets rows m n / M .. (m + 1) n / M - 1 (as Sun et al. 2019).

    If M does not divide n, the first n mod M clients get one row more.

    Args:
        labels: i32[n]; only n matters.
        clients: M in 1..n; ValueError otherwise.
        seed: not used, nothing is random.
    """
    del seed
    n = _require_clients("contiguous", labels, clients)
    return tuple(np.array_split(np.arange(n), clients))


def iid(labels: np.ndarray, clients: int, seed: Seed = 0) -> Parts:
    """Shuffles the rows and deals them as `contiguous` does (McMahan et al. 2017).

    Args:
        labels: i32[n]; only n matters.
        clients: M in 1..n; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
    """
    n = _require_clients("iid", labels, clients)
    order = np.random.default_rng(seed).permutation(n)
    return _ascending(np.array_split(order, clients))


def shards(
    labels: np.ndarray, clients: int, seed: Seed = 0, *, shards_per_client: int = 2
) -> Parts:
    """Sorts by label, cuts M s shards, deals s to each client (McMahan et al. 2017).

    A client then sees about s labels. Shards differ by one row at most.

    Args:
        labels: i32[n].
        clients: M in 1..n; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
        shards_per_client: s, 1 or more, with M s <= n; ValueError otherwise.
    """
    n = _require_clients("shards", labels, clients)
    _require_classes("shards", labels)
    whole = is_integer(shards_per_client) and shards_per_client >= 1
    if not whole or clients * shards_per_client > n:
        raise ValueError(
            "shards: shards_per_client must be 1 or more, and clients times it at most "
            f"the {n} examples, got {clients=} {shards_per_client=}"
        )
    by_label = np.argsort(labels, kind="stable")
    pieces = np.array_split(by_label, clients * shards_per_client)
    deal = np.random.default_rng(seed).permutation(len(pieces))
    return _ascending(
        np.concatenate([pieces[i] for i in hand])
        for hand in deal.reshape(clients, shards_per_client)
    )


def dirichlet(
    labels: np.ndarray,
    clients: int,
    seed: Seed = 0,
    *,
    alpha: float,
    min_size: int = 0,
) -> Parts:
    """Splits each class over the clients by shares ~ Dir_M(alpha).

    Label skew after Hsu et al. (2019), in the form of Yurochkin et al. (2019), which
    uses every example once. alpha -> 0 gives each class to one client, alpha -> infinity
    gives every client the same mix; sizes differ too.

    Args:
        labels: i32[n].
        clients: M in 1..n; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
        alpha: in (0, 1e9]; ValueError otherwise.
        min_size: rows that each client must get, at most n / M; the shares are drawn
            anew until it holds, ValueError after 1000 draws. With 0, clients may be
            empty.
    """
    n = _require_clients("dirichlet", labels, clients)
    _require_classes("dirichlet", labels)
    _require_alpha("dirichlet", alpha)
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def draw():
        pieces = [_split(rng, rng.permutation(c), clients, alpha) for c in classes]
        return [np.concatenate(hand) for hand in zip(*pieces)]

    return _ascending(_at_least("dirichlet", draw, clients, n, min_size))


def quantity_skew(
    labels: np.ndarray,
    clients: int,
    seed: Seed = 0,
    *,
    alpha: float,
    min_size: int = 0,
) -> Parts:
    """Shuffles the rows and splits them by shares ~ Dir_M(alpha) (Li et al. 2022).

    Each client has the same mix of labels in expectation, but another size.

    Args:
        labels: i32[n]; only n matters.
        clients, seed, alpha, min_size: see `dirichlet`.
    """
    n = _require_clients("quantity_skew", labels, clients)
    _require_alpha("quantity_skew", alpha)
    rng = np.random.default_rng(seed)

    def draw():
        return _split(rng, rng.permutation(n), clients, alpha)

    return _ascending(_at_least("quantity_skew", draw, clients, n, min_size))


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
    if not _are_classes(labels):
        labels = np.zeros(len(labels), np.int32)
    num_classes = int(labels.max()) + 1
    sizes = np.array([len(part) for part in parts], np.int64)
    histogram = [np.bincount(labels[part], minlength=num_classes) for part in parts]
    total = hashlib.sha256(sizes.astype("<i8").data)
    for part in parts:
        total.update(part.astype("<i8").data)
    return Summary(sizes, np.stack(histogram), total.hexdigest())


def _split(rng: np.random.Generator, rows: np.ndarray, clients: int, alpha: float):
    """Cuts `rows` where the running sums of Dir(alpha) shares say."""
    shares = rng.dirichlet(np.full(clients, alpha))
    cuts = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(np.int64)
    return np.split(rows, cuts)


def _at_least(
    where: str, draw: Callable[[], list], clients: int, n: int, min_size: int
) -> list[np.ndarray]:
    """The first draw whose smallest part has `min_size` rows."""
    if not is_integer(min_size) or not 0 <= min_size * clients <= n:
        raise ValueError(
            f"{where}: min_size must be 0 or more, and clients times it at most the {n} "
            f"examples, got {min_size=} {clients=}"
        )
    for _ in range(MAX_DRAWS):
        parts = draw()
        if min(map(len, parts)) >= min_size:
            return parts
    raise ValueError(
        f"{where}: each client must get min_size examples within {MAX_DRAWS} draws, got "
        f"none so even for {min_size=}: take a larger alpha or a smaller min_size"
    )


def _ascending(parts) -> Parts:
    return tuple(np.sort(part) for part in parts)


def _require_clients(where: str, labels: np.ndarray, clients: int) -> int:
    """The number of examples, at least one for each client."""
    if not is_integer(clients) or not 1 <= clients <= len(labels):
        raise ValueError(
            f"{where}: clients must be in 1..{len(labels)}, the number of examples, got "
            f"{clients=}"
        )
    return len(labels)


def _require_classes(where: str, labels: np.ndarray) -> None:
    if not _are_classes(labels):
        raise ValueError(
            f"{where}: labels must be classes, integers[n], to be dealt by, got "
            f"{labels.dtype}{[*labels.shape]}"
        )


def _are_classes(labels: np.ndarray) -> bool:
    return labels.ndim == 1 and labels.dtype.kind in "iu"


def _require_alpha(where: str, alpha: float) -> None:
    number = isinstance(alpha, Real) and not isinstance(alpha, bool)
    if not number or not 0.0 < alpha <= MAX_ALPHA:  # on the host, in f64
        raise ValueError(f"{where}: alpha must be in (0, {MAX_ALPHA:g}], got {alpha=}")
