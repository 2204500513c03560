"""Files that are fetched once, held to their SHA-256, and kept."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from flq_jax.data.errors import DataError
from flq_jax.data.reading import reason, require_path, shown

SECONDS = 30.0  # without a byte, after which a server is given up


class Source(NamedTuple):
    """A file that others publish.

    Attributes:
        file: its name.
        num_bytes: its length, to be told; 0: unknown.
        sha256: hex digest.
        url: where it is fetched from; empty: by hand alone, see `by_hand`.
        by_hand: a command that gets it otherwise, into the folder that follows it.
    """

    file: str
    num_bytes: int
    sha256: str
    url: str
    by_hand: str = ""


def place(
    name: str,
    folder: str | os.PathLike,
    sources: Sequence[Source],
    system: str = "",
    holds: Callable[[Path], bool] = Path.is_dir,
) -> Path:
    """The folder that a data set is read from.

    It is the given one, which is left as it is; or, where none is given, the system's, if
    it is there; or the cache, to which files that it lacks are fetched.

    Args:
        name: the data set's, for messages.
        folder: given; empty: none.
        sources: what the cache must hold, one or more, in one folder.
        system: where a package of the system has it; empty: none has.
        holds: whether a folder is one that has it.

    Raises:
        DataError: a file is neither there nor to be had, or the folder is no path.
    """
    require_path(name, folder)
    if folder := os.fspath(folder):
        return Path(folder)
    if system and holds(Path(system)):
        return Path(system)
    return [cached(name, source) for source in sources][0].parent


def cached(name: str, source: Source) -> Path:
    """The file in the user's cache (XDG_CACHE_HOME), fetched if it is not there.

    One that was broken off or has another SHA-256 leaves nothing behind. Several processes
    may ask at once. Only what is to be fetched takes pooch.

    Raises:
        DataError: it cannot be had; says which file to put where.
    """
    cache = cache_folder()
    if _is_there(cache / source.file, source.sha256):
        return cache / source.file
    try:
        import pooch
        import tqdm  # noqa: F401 - the progress bar
    except ImportError as error:
        raise DataError(
            f"{_wanted(name, source)} a folder, {name}(folder), in {shown(cache)}, or be "
            f"fetched, which takes `pip install pooch tqdm`, got {reason(error)}"
        ) from error
    try:
        path = cache / source.file
        if source.url or not path.exists():
            return _retrieved(pooch, source, cache)
        if (came := pooch.file_hash(str(path))) != source.sha256:
            raise ValueError(f"a file of SHA-256 {came}")
        return path
    except (OSError, ValueError) as error:  # of requests, too, and of another SHA-256
        way = f"where `{source.by_hand} {cache}` puts it"
        way = f"or be fetched from {source.url}" if source.url else way
        raise DataError(
            f"{_wanted(name, source)} {shown(cache)}, {way}, got {shown(reason(error))}"
        ) from error


def cache_folder() -> Path:
    """Where fetched files are kept: $XDG_CACHE_HOME/flq_jax/data, beside compiled programs."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "flq_jax" / "data"


def _is_there(path: Path, sha256: str) -> bool:
    """Whether a whole file lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _retrieved(pooch, source: Source, cache: Path) -> Path:
    if not source.url:
        raise FileNotFoundError("no such file")
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=SECONDS)
    known = f"sha256:{source.sha256}"
    found = pooch.retrieve(source.url, known, source.file, cache, downloader=downloader)
    return Path(found)


def _wanted(name: str, source: Source) -> str:
    length = f"{source.num_bytes:,} bytes, " * (source.num_bytes > 0)
    return f"{name}: {source.file} ({length}SHA-256 {source.sha256}) must be in"
