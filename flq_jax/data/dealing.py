"""What every way to deal examples to clients has in common."""

from collections.abc import Iterable

import numpy as np

from flq_jax.arguments import is_integer

Parts = tuple[np.ndarray, ...]  # for each client the rows that it holds
Seed = int | np.random.Generator


def ascending(parts: Iterable[np.ndarray]) -> Parts:
    """Each client's rows in their order."""
    return tuple(np.sort(part) for part in parts)


def require_clients(where: str, labels: np.ndarray, clients: int) -> int:
    """The number of examples, at least one for each client."""
    if not is_integer(clients) or not 1 <= clients <= len(labels):
        raise ValueError(
            f"{where}: clients must be in 1..{len(labels)}, the number of examples, got "
            f"{clients=}"
        )
    return len(labels)


def require_classes(where: str, labels: np.ndarray) -> None:
    """Raises ValueError unless examples can be dealt by these."""
    if not are_classes(labels):
        raise ValueError(
            f"{where}: labels must be classes, integers[n], to be dealt by, got "
            f"{labels.dtype}{[*labels.shape]}"
        )


def are_classes(labels: np.ndarray) -> bool:
    """Whether they are integers[n]."""
    return labels.ndim == 1 and labels.dtype.kind in "iu"
