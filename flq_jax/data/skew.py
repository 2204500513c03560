"""Splits of clients that differ, in their labels or in how much they hold.

They are as those of `partition`, where they are public.
"""

from collections.abc import Callable
from numbers import Real

import numpy as np

from flq_jax.arguments import is_integer
from flq_jax.data.dealing import (
    Parts,
    Seed,
    ascending,
    require_classes,
    require_clients,
)

MAX_ALPHA = 1e9  # shares are equal to nine digits there; beyond, their sum may overflow
MAX_DRAWS = 1000


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
    n = require_clients("shards", labels, clients)
    require_classes("shards", labels)
    whole = is_integer(shards_per_client) and shards_per_client >= 1
    if not whole or clients * shards_per_client > n:
        raise ValueError(
            "shards: shards_per_client must be 1 or more, and clients times it at most "
            f"the {n} examples, got {clients=} {shards_per_client=}"
        )
    by_label = np.argsort(labels, kind="stable")
    pieces = np.array_split(by_label, clients * shards_per_client)
    deal = np.random.default_rng(seed).permutation(len(pieces))
    return ascending(
        np.concatenate([pieces[i] for i in hand])
        for hand in deal.reshape(clients, shards_per_client)
    )


def k_labels(labels: np.ndarray, clients: int, seed: Seed = 0, *, k: int) -> Parts:
    """Each client holds examples of k labels, "#C = k" of Li et al. (2022).

    Labels go round in a random order until each client has one and each label a holder;
    what else a client holds is drawn from the other labels. A label's examples are
    shuffled and shared out equally among its holders: shares differ by one at most. It
    is a pathological split as that of `shards`, which bounds labels and fixes sizes;
    here the number of labels is fixed, and sizes follow from who holds the same ones.

    Args:
        labels: i32[n], of K labels, those that there are.
        clients: M in 1..n, M k >= K, lest a label is nobody's; ValueError otherwise.
        seed: 0 or more, or a numpy Generator.
        k: 1..K; ValueError otherwise, or if a label has fewer examples than holders.
    """
    n = require_clients("k_labels", labels, clients)
    require_classes("k_labels", labels)
    there, counts = np.unique(labels, return_counts=True)
    if not is_integer(k) or not 1 <= k <= len(there) <= clients * k:
        raise ValueError(
            f"k_labels: k must be in 1..{len(there)}, the number of labels, and clients "
            f"times it at least that, got {k=} {clients=}"
        )
    rng = np.random.default_rng(seed)
    held = _labels_of_clients(rng, len(there), clients, k)
    holders = held.sum(axis=0)
    if (few := counts < holders).any():
        label, count, want = (x[few][0] for x in (there, counts, holders))
        raise ValueError(
            f"k_labels: each label must have an example for each of its holders, got "
            f"{count} of label {label} for {want} clients: take a smaller k or fewer clients"
        )
    owner = np.empty(n, np.int64)
    for label, who in zip(there, held.T, strict=True):
        rows = rng.permutation(np.flatnonzero(labels == label))
        shares = np.array_split(rows, np.count_nonzero(who))
        for client, share in zip(np.flatnonzero(who), shares, strict=True):
            owner[share] = client
    ends = np.cumsum(np.bincount(owner, minlength=clients))
    return tuple(np.split(np.argsort(owner, kind="stable"), ends[:-1]))


def _labels_of_clients(
    rng: np.random.Generator, num_labels: int, clients: int, k: int
) -> np.ndarray:
    """Which labels each client holds, bool[M, K]: k in a row, one or more in a column."""
    held = np.zeros((clients, num_labels), bool)
    order = np.resize(rng.permutation(num_labels), max(num_labels, clients))
    held[np.arange(len(order)) % clients, order] = True
    for mine in held:
        more = k - np.count_nonzero(mine)
        mine[rng.choice(np.flatnonzero(~mine), more, replace=False)] = True
    return held


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
    n = require_clients("dirichlet", labels, clients)
    require_classes("dirichlet", labels)
    _require_alpha("dirichlet", alpha)
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def draw():
        pieces = [_split(rng, rng.permutation(c), clients, alpha) for c in classes]
        return [np.concatenate(hand) for hand in zip(*pieces)]

    return ascending(_at_least("dirichlet", draw, clients, n, min_size))


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
    n = require_clients("quantity_skew", labels, clients)
    _require_alpha("quantity_skew", alpha)
    rng = np.random.default_rng(seed)

    def draw():
        return _split(rng, rng.permutation(n), clients, alpha)

    return ascending(_at_least("quantity_skew", draw, clients, n, min_size))


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


def _require_alpha(where: str, alpha: float) -> None:
    number = isinstance(alpha, Real) and not isinstance(alpha, bool)
    if not number or not 0.0 < alpha <= MAX_ALPHA:  # on the host, in f64
        raise ValueError(f"{where}: alpha must be in (0, {MAX_ALPHA:g}], got {alpha=}")
