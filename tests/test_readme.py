"""The README's code runs, its table is true and its commands exist."""

import importlib
import pathlib
import re

import numpy as np
import pytest

from flq_jax.experiments import command
from flq_jax.experiments.options import shipped

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_code_blocks_run(code):
    names = {}
    exec(code, names)  # noqa: S102 the README's own code
    assert np.allclose(names["x_hat"], [1.0, 0.0, -1.0, 0.0])
    assert np.array_equal(names["x_hat"], names["server"])


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(mnist_\w+)`", TEXT))))
def test_configs_of_the_table_exist(name):
    importlib.import_module(f"flq_jax.configs.{name}")


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", TEXT))))
def test_commands_can_be_imported(module):
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
    assert importlib.import_module(f"flq_jax.{module}").main


@pytest.mark.parametrize(
    "line", re.findall(r"^ +flq (.*?)(?: +#.*)?$", TEXT, re.MULTILINE)
)
def test_commands_of_the_wheel_exist(line):
    name, *flags = line.split()
    assert name in command.COMMANDS
    for flag in flags:
        if flag.startswith("--config="):
            assert flag.removeprefix("--config=") in shipped.names()
