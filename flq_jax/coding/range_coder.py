"""The range coder of the library `constriction`, and the models of it that we use."""

import numpy as np


def constriction():
    """The library's coders and models; ImportError names the extra if it is missing."""
    try:
        import constriction
    except ImportError as error:
        raise ImportError(
            "flq_jax.entropy: coding needs the extra: pip install 'flq_jax[entropy]'"
        ) from error
    stream = constriction.stream  # pyrefly: ignore[missing-attribute] untyped
    return stream.queue, stream.model


def model(counts: np.ndarray):
    """The symbols that occur, by their counts."""
    _, models = constriction()
    return models.Categorical(counts[counts > 0] / counts.sum(), perfect=False)


def ranks(counts: np.ndarray) -> np.ndarray:
    """Each symbol's place among those that occur."""
    return np.cumsum(counts > 0) - 1
