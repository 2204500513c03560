"""What the pages in docs/ say can be run, and what they name exists."""

import importlib.util
import pathlib
import re
import shlex

import pytest
from absl import flags

from flq_jax.configs import default
from flq_jax.experiments.options import config_file
from flq_jax.experiments.options.names import flatten

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXT = "\n".join(page.read_text() for page in PAGES)
BLOCKS = [
    pytest.param(code, id=f"{page.stem}-{i}")
    for page in PAGES
    # Whose blocks follow one another: see test_readme, tests/docs/test_tutorials.py.
    if page.name != "manual.md" and page.parent.name != "tutorials"
    for i, code in enumerate(
        re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    )
]


@pytest.mark.parametrize("code", BLOCKS)
def test_code_blocks_run(code):
    exec(code, {})  # noqa: S102 the pages' own code


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(flq_jax\.[\w.]+)`", TEXT))))
def test_named_functions_exist(name):
    module, _, attribute = name.rpartition(".")
    there = importlib.import_module(module)
    assert hasattr(there, attribute) or importlib.util.find_spec(name)


@pytest.mark.parametrize(
    "place", sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))
)
def test_named_tests_exist(place):
    path, _, name = place.partition("::")
    text = (ROOT / path).read_text()
    assert not name or f"def {name}(" in text


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", TEXT))))
def test_commands_can_be_imported(module):
    assert importlib.import_module(f"flq_jax.{module}").main


COMMANDS = re.findall(
    r"^ *(?:\w+=\S+ |srun .*)?python -m ([^`\n&#]*?)[ &]*(?:#.*)?$", TEXT, re.MULTILINE
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_can_be_given(line):
    module, *args = shlex.split(line)
    assert importlib.import_module(f"flq_jax.{module}").main
    configs = [arg.partition("=")[2] for arg in args if arg.startswith("--config=")]
    options = flatten(config_file.load(*configs) if configs else default.get_config())
    for arg in args:
        name, _, value = arg.removeprefix("--").partition("=")
        if name.startswith("config."):
            assert name.removeprefix("config.") in options
        else:
            assert name in flags.FLAGS
        if name == "config":
            assert (ROOT / value).is_file()
