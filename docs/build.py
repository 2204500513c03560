"""Builds the site: every page, the reference from the docstrings, warnings as errors.

python -m docs.build --to=build/site

takes the extra `docs`. What is written needs no network to be read: fonts, scripts and
equations are in it.
"""

import pathlib
import sys

from absl import app, flags

_TO = flags.DEFINE_string("to", "build/site", "The folder that is written.")
HERE = pathlib.Path(__file__).parent


def built(folder: pathlib.Path) -> int:
    """Writes the site to `folder`; the exit status of Sphinx, 0 if nothing was warned of."""
    from sphinx.cmd.build import build_main

    doctrees = folder.with_name(f"{folder.name}.doctrees")
    strict = ["-E", "-a", "-W", "--keep-going", "-q"]
    return build_main([*strict, "-d", str(doctrees), str(HERE), str(folder)])


def main(argv: list[str]) -> None:
    """Builds, and says where."""
    del argv
    folder = pathlib.Path(_TO.value)
    status = built(folder)
    if not status:
        print(folder / "index.html")
    sys.exit(status)


if __name__ == "__main__":
    app.run(main)
