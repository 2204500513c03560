"""Files of a folder, or of a tar archive that may be anybody's."""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO

from flq_jax.data.errors import DataError
from flq_jax.data.reading import exists, opened, reason, require_memory, shown

MOST_MEMBERS = 10_000
CHUNK = 2**20


def read_named(path: str | os.PathLike) -> bytes:
    """All bytes of a regular file; DataError if it cannot be read or held."""
    try:
        with opened(path) as file:
            require_memory(shown(path), os.fstat(file.fileno()).st_size)
            return file.read()
    except DataError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise DataError(
            f"{shown(path)}: must be a readable file, got {reason(error)}"
        ) from error


def read_members(
    path: str | os.PathLike, wanted: Callable[[str], bool]
) -> dict[str, bytes]:
    """The wanted files of a tar archive, packed or not, by the names behind their folders.

    Nothing is written, links are no files, and no more is held than the wanted files'
    bytes, which must fit in memory.

    Args:
        path: the archive.
        wanted: whether to read the file of that name, without its folders.

    Raises:
        DataError: it is missing or broken, or holds more than 10000 members, or two files
            of one name.
    """
    try:
        with opened(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            return _members(archive, wanted)
    except DataError:
        raise
    except Exception as error:  # tarfile and zlib name no closed list
        raise DataError(
            f"{shown(path)}: must be an intact tar archive, got {reason(error)}"
        ) from error


def read_all(
    folders: Collection[str | os.PathLike],
    archive: str | os.PathLike,
    names: Collection,
) -> dict[str, bytes] | None:
    """The named files of the first folder that holds one of them, or of the archive.

    Returns:
        name -> bytes; None where there is neither such a folder nor the archive.

    Raises:
        DataError: one of them is missing, or cannot be read.
    """
    for folder in folders:
        if any(exists(Path(folder, name)) for name in names):
            return {name: read_named(Path(folder, name)) for name in names}
    if not exists(Path(archive)):
        return None
    files = read_members(archive, set(names).__contains__)
    if missing := [name for name in names if name not in files]:
        raise DataError(f"{shown(archive)}: must hold {', '.join(missing)}, got none")
    return files


def unpacked(path: Path, names: Collection[str], folder: Path) -> Path:
    """The folder, with the named files of a tar archive in it, each whole or not there.

    Raises:
        DataError: the archive is broken or lacks one, or the folder cannot be written to.
    """
    missing = {name for name in names if not exists(folder / name)}
    if not missing:
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with opened(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            for info in archive:
                name = info.name.rpartition("/")[2]
                member = archive.extractfile(info) if name in missing else None
                if member:
                    _write(member, info.size, folder / name)
                    missing.remove(name)
        if missing:
            raise ValueError(f"none called {', '.join(sorted(missing))}")
    except Exception as error:  # tarfile and zlib name no closed list
        raise DataError(
            f"{shown(path)}: must be unpacked to {shown(folder)}, got {reason(error)}"
        ) from error
    return folder


def _write(member: IO[bytes], size: int, path: Path) -> None:
    """Under another name first: who looks meanwhile finds a whole file or none."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        try:
            shutil.copyfileobj(member, part, CHUNK)
            if part.tell() != size:
                raise ValueError(f"{part.tell()} of the {size} bytes of {path.name}")
            os.replace(part.name, path)
        except BaseException:
            os.unlink(part.name)
            raise


def _members(archive: tarfile.TarFile, wanted) -> dict[str, bytes]:
    files, total = {}, 0
    for count, info in enumerate(archive):  # as a stream: it can't be led in circles
        if count >= MOST_MEMBERS:
            raise ValueError(f"more than {MOST_MEMBERS} members")
        name = info.name.rpartition("/")[2]
        if not info.isreg() or info.issparse() or not wanted(name):
            continue
        if name in files:
            raise ValueError(f"two files called {shown(name)}")
        total += info.size
        require_memory("its files", total)
        member = archive.extractfile(info)
        files[name] = _whole(member) if member else b""
        if len(files[name]) != info.size:
            raise ValueError(f"{len(files[name])} of the {info.size} bytes of {name}")
    return files


def _whole(file: IO[bytes]) -> bytes:
    """To its end, in pieces: what a header promises is not asked for at once."""
    return b"".join(iter(lambda: file.read(CHUNK), b""))
