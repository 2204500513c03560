"""Files that a reader sees whole, the old one or the new one, whenever it looks."""

import contextlib
import json
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO


def text(path: pathlib.Path) -> str:
    """What a regular file holds, in UTF-8.

    Raises:
        OSError: it can't be read, or is none, such as a FIFO, which would be waited for.
        UnicodeDecodeError: it is no UTF-8.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is no regular file")
    return path.read_text(encoding="utf-8")


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` as JSON; a reader sees the old file or the new one, whole."""
    replace(path, json.dumps(value, indent=2) + "\n")


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file to write to, which at the end takes the place of `path`.

    If that fails nothing is left of it: the disk may be full.
    """
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def replace(path: pathlib.Path, content: str) -> None:
    """Writes `content` to `path`, in UTF-8."""
    with replacing(path) as file:
        file.write(content.encode())
