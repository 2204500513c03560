"""Text as the tokens of a next-character task."""

import numpy as np

# The 80 characters of LEAF's Shakespeare (Caldas et al. 2018), in its order.
ALPHABET = (
    "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}"
)
SPACE = ALPHABET.index(" ")
_TOKENS = np.full(256, SPACE, np.int32)
_TOKENS[[ord(letter) for letter in ALPHABET]] = np.arange(len(ALPHABET))


def tokens(text: str) -> np.ndarray:
    """The place of each character in `ALPHABET`, i32[t]; any other is a space."""
    return _TOKENS[np.frombuffer(text.encode("latin1", "replace"), np.uint8)]


def windows(text: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of a text that follow one another, and what comes next at each place.

        inputs[i, j] = text[i t + j],  targets[i, j] = text[i t + j + 1],  j = 0..t-1

    What is left at the end, t characters at most, is in none.

    Args:
        text: any.
        length: t, characters of a piece, 1 or more.

    Returns:
        Inputs and targets, i32[n, t] each; n may be 0.
    """
    line = tokens(text)
    n = max(len(line) - 1, 0) // length
    inputs = line[: n * length].reshape(n, length)
    return inputs, line[1 : n * length + 1].reshape(n, length)
