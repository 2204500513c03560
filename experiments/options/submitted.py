"""What was submitted: configs as they were resolved then, and the digests of their data.

A task may wait for days. It runs from this file, whatever becomes of the config file.
"""

import functools
import hashlib
import json
import pathlib
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from ..process.errors import ConfigError
from ..process.whole_files import replace, text
from .validation import from_json

FOLDER = ".submitted"  # no run is called so, see `config_file.swept`


class Submission(NamedTuple):
    """Runs as they were asked for.

    Attributes:
        about: what the config file said of itself.
        command: the command line that submitted them.
        file: the config file, beside which their own modules lie.
        configs: theirs, by name.
        digests: of their data sets, by name.
    """

    about: str
    command: str
    file: str
    configs: dict[str, ConfigDict]
    digests: dict[str, str]


def write(submission: Submission, folder: pathlib.Path) -> pathlib.Path:
    """Leaves it in the folder of the runs; the file is named after its content.

    Without a run nothing is left. `ConfigError` if it can't be written.
    """
    kept = submission._asdict()
    kept["configs"] = {n: c.to_dict() for n, c in submission.configs.items()}
    content = json.dumps(kept, indent=2) + "\n"
    path = folder / FOLDER / f"{hashlib.sha256(content.encode()).hexdigest()[:16]}.json"
    if submission.configs:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, content)
        except OSError as error:
            raise ConfigError(f"--workdir: can't write {path}: {error}") from error
    return path


@functools.cache
def read(file: str) -> Submission:
    """What `write` left; `ConfigError` if the file is not as it was then."""
    try:
        content = text(pathlib.Path(file))
        if hashlib.sha256(content.encode()).hexdigest()[:16] != pathlib.Path(file).stem:
            raise ValueError("it is not what was submitted")
        kept: dict[str, Any] = json.loads(content)
        kept["configs"] = {n: from_json(c) for n, c in dict(kept["configs"]).items()}
        kept["digests"] = dict(kept["digests"])
        return Submission(**kept)
    except (
        *(OSError, ValueError, TypeError, LookupError),
        *(AttributeError, RecursionError),  # JSON, but of no submission
    ) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"--submitted: can't use {file}: {reason}") from error
