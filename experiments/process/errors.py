"""Errors that are the user's to mend: one line each, and exit status 2."""

import contextlib
import sys
from collections.abc import Iterator


class ConfigError(ValueError):
    """An option that cannot be; the message is one line that starts with its name."""


@contextlib.contextmanager
def one_line_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Ends the program with one line and status 2 on a `ConfigError` or these kinds."""
    try:
        yield
    except (ConfigError, *kinds) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
