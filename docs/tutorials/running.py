"""Runs a tutorial's blocks in order, in a folder, and copies its picture.

python -m docs.tutorials.running first_run
"""

import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
BLOCK = re.compile(
    r"^(?:<!-- file: (\S+) -->\n)?```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
NEED = re.compile(r"^<!-- needs: (\w+) -->$", re.MULTILINE)
PICTURE = re.compile(r"<!-- picture: (\S+) -->\s*!\[[^\]]*\]\((\S+)\)")


def blocks(page: str) -> list[tuple[str, str, str]]:
    """(file, language, code) of each block: written to the file if it names one, else run."""
    return BLOCK.findall(page)


def pictures(page: str) -> list[tuple[str, str]]:
    """(file that the blocks write, where the page shows it from)."""
    return PICTURE.findall(page)


def missing(page: str) -> list[str]:
    """The modules that the page needs and that are not installed."""
    return [name for name in NEED.findall(page) if not importlib.util.find_spec(name)]


def run(page: str, folder: pathlib.Path) -> str:
    """What the blocks print; a block that fails is a CalledProcessError."""
    path = os.pathsep.join(
        [str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
    )
    printed = []
    for file, language, code in blocks(page):
        if file:
            (folder / file).write_text(code, encoding="utf-8")
            continue
        shell = ["bash", "-ec"] if language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*shell, code],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
        printed.append(done.stdout)
    return "".join(printed)


def main(name: str) -> None:
    """Renews the picture of the page of this name, and prints the seconds it took."""
    page = (HERE / f"{name}.md").read_text(encoding="utf-8")
    if lacking := missing(page):
        sys.exit(f"{name}.md needs {', '.join(lacking)}, see there")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        print(run(page, pathlib.Path(folder)), end="")
        for drawn, shown in pictures(page):
            shutil.copyfile(pathlib.Path(folder) / drawn, HERE / shown)
    print(f"{name}: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1])
