"""Runs a tutorial's blocks in order, in a folder, and copies its picture.

python -m docs.tutorials.running first_run
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"<!-- picture: (\S+) -->\s*!\[[^\]]*\]\((\S+)\)")


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, code) of each block that is run."""
    return BLOCK.findall(page)


def pictures(page: str) -> list[tuple[str, str]]:
    """(file that the blocks write, where the page shows it from)."""
    return PICTURE.findall(page)


def run(page: str, folder: pathlib.Path) -> str:
    """What the blocks print; a block that fails is a CalledProcessError."""
    path = os.pathsep.join(
        [str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
    )
    printed = []
    for language, code in blocks(page):
        shell = ["bash", "-ec"] if language == "sh" else [sys.executable, "-c"]
        done = subprocess.run(
            [*shell, code],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        printed.append(done.stdout)
    return "".join(printed)


def main(name: str) -> None:
    page, began = (HERE / f"{name}.md").read_text(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        print(run(page, pathlib.Path(folder)), end="")
        for drawn, shown in pictures(page):
            shutil.copyfile(pathlib.Path(folder) / drawn, HERE / shown)
    print(f"{name}: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1])
