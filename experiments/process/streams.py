"""What is printed and what is read of the command line, whatever the locale."""

import io
import sys
from collections.abc import Sequence

from .errors import ConfigError


def print_anything() -> None:
    """Has stdout and stderr print "?" for what their encoding lacks.

    In a locale that is not UTF-8 a bar, a name or a table would end the program.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def require_text(argv: Sequence[str]) -> None:
    """Raises `ConfigError` for an argument that was not read whole.

    What Python can't decode it leaves as surrogates, which no file takes as a text.
    """
    for arg in argv:
        try:
            arg.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{arg!a}: every argument must be text in the locale's encoding, "
                f"{sys.getfilesystemencoding()}"
            ) from error
