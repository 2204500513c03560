"""The Flower app of a config: two names, and the config as it was submitted."""

import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

NAME = "flq_app"
MODULE = '''"""A config's run on Flower."""

from flq_jax.experiments.deployment import apps

client = apps.client(__file__)
server = apps.server(__file__)
'''
PROJECT = """[project]
name = "flq-app"
version = "0.1.0"
description = "A config's run on Flower"
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "flq"

[tool.flwr.app.components]
serverapp = "{name}:server"
clientapp = "{name}:client"

[tool.flwr.app.config]
{config}
"""


def write(
    folder: pathlib.Path,
    config: dict[str, Any],
    module: str = MODULE,
    beside: Sequence[pathlib.Path] = (),
) -> None:
    """Writes the app's folder, of which `flwr run` makes a bundle.

    Args:
        folder: made here.
        config: the app's, of numbers and texts.
        module: its text, which names `client` and `server`.
        beside: files that go along, as what `submitted.write` left.
    """
    package = folder / NAME
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(module, encoding="utf-8")
    for file in beside:
        shutil.copy(file, package)
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in config.items())
    (folder / "pyproject.toml").write_text(
        PROJECT.format(name=NAME, config=lines), encoding="utf-8"
    )


def submission(file: str) -> pathlib.Path:
    """What was submitted, beside the app's module."""
    (path,) = pathlib.Path(file).parent.glob("*.json")
    return path
