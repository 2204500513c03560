"""What is read: regular files, and no more bytes than the machine can hold."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from flq_jax.data.errors import DataError

MOST_LETTERS = 200


def opened(path: str | os.PathLike) -> BinaryIO:
    """A regular file, open for reading.

    Raises:
        OSError: it is none, such as a FIFO, which would be waited for, or a device,
            which might never end; or it cannot be opened.
        ValueError: there is a null byte in the path.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("a folder, a FIFO or a device, no regular file")
    return open(path, "rb")


def require_path(where: str, path: object) -> None:
    """Raises DataError unless it is a text or a path: a number would be an open file."""
    if not isinstance(path, str | os.PathLike):
        raise DataError(f"{where}: must be the path of files, got {path!r:.60}")


def exists(path: Path) -> bool:
    """Whether there is such a file; DataError if the system will not say."""
    try:
        return path.exists()
    except OSError as error:  # of a name that is too long, or in a closed folder
        raise DataError(
            f"{shown(path)}: must be a readable file, got {reason(error)}"
        ) from error


def reason(error: Exception) -> str:
    """What went wrong, in one line; of the system's errors without the path."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split()) or type(error).__name__


def shown(path: str | os.PathLike) -> str:
    """The path as a message names it: the middle of a very long one is left out."""
    text = str(path)
    half = MOST_LETTERS // 2
    return text if len(text) <= MOST_LETTERS else f"{text[:half]}...{text[-half:]}"


def require_memory(what: str, size: int) -> None:
    """DataError if so many bytes are more than the machine has.

    Asked before they are unpacked: Linux grants what it cannot give, and then kills.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise DataError(
            f"{what}: must fit in this machine's {memory:,} bytes of memory, got "
            f"{size:,} to unpack"
        )
