"""The code of README and manual runs, the table is true and the commands exist."""

import importlib
import pathlib
import re
import sys

import jax
import numpy as np
import pytest

from flq_jax.configs import default
from flq_jax.configs.paper.methods import METHODS
from flq_jax.experiments import command
from flq_jax.experiments.assembly.build import split
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.assembly.composition import canonical_texts
from flq_jax.experiments.assembly.setting import dataset_of
from flq_jax.experiments.options import shipped, validation
from flq_jax.experiments.options.parts import PARTS

ROOT = pathlib.Path(__file__).parent.parent
TEXT = "".join((ROOT / p).read_text() for p in ("README.md", "docs/manual.md"))


CODE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def ran(mark):
    """What the one block with that text in it leaves."""
    (code,) = (code for code in CODE if mark in code)
    names = {}
    exec(code, names)  # noqa: S102 the README's own code
    return names


def test_the_own_quantizer_decodes_what_was_sent():
    names = ran("def ternary")
    assert np.allclose(names["x_hat"], [1.0, 0.0, -1.0, 0.0])
    assert np.array_equal(names["x_hat"], names["server"])


def test_the_own_loss_is_brought_down_and_saved(tmp_path, monkeypatch):
    """A message holds six numbers of 4 bits and a range of 32."""
    monkeypatch.chdir(tmp_path)
    sim = ran("flq.Simulation")["sim"]
    assert [row["round"] for row in sim.rows] == [20, 40, 60]
    assert sim.rows[-1]["test_error"] < 1e-3 and sim.rows[-1]["uploads"] < 600
    assert sim.rows[-1]["uplink_bits"] == 56 * sim.rows[-1]["uploads"]
    assert (tmp_path / "runs/mine/checkpoints/60").is_dir()


# The blocks that make a module of the reader's.
MINE = [code for code in CODE if "flq.Simulation(" not in code]
OWN = {
    "data": "mine.digits()",
    "split": "natural()",
    "model": "mine.Net()",
    "task": "mine.smooth(alpha=0.1)",
    "client": "mine.heavy_ball(beta=0.9)",
    "uplink": "lazy(innovation(mine.ternary()))",
    "server": "mine.clipped(step)",
}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The module that the blocks make, by which expressions find them."""
    (tmp_path / "mine.py").write_text("\n\n".join(MINE))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("mine")
    del sys.modules["mine"]


def test_own_parts_fit_in_a_config_as_the_readme_says(mine):
    """A whole round of them is traced."""
    config = default.get_config()
    for option, text in OWN.items():
        assert text.startswith("natural") or f'"{text}"' in TEXT
        config[option] = text
    validation.validate(config)
    dataset = dataset_of(config)
    with jax.numpy_rank_promotion("allow"):  # as a reader has it
        require_fit(config, dataset, map(len, split(config, dataset)))


def test_every_block_is_one_of_these():
    assert len(CODE) == len(MINE) + 1 == len(OWN)


def test_the_picture_is_there_and_its_command_too():
    (picture,) = re.findall(r"^!\[[^]]+\]\(([^)]+)\)$", TEXT, re.MULTILINE)
    assert "<svg" in (ROOT / picture).read_text()
    (script,) = set(re.findall(r"`python (docs/\S+)", TEXT))
    assert (ROOT / script).is_file()


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


# | method | `uplink`, part `expression`, ... | `config`, ... |
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]*`[^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
ROWS = [row for row in ROWS if "`mnist_" in row[2] and "config.uplink" not in row[1]]


def stated(cell):
    """Option -> the expressions that a row of the table says of it; the uplink is first."""
    found = {}
    for part in re.finditer(r"(?:^|, |; )(?:(\w+) )?`([^`]+)`(?: or `([^`]+)`)?", cell):
        if part[1] in PARTS or not part.start():
            found[part[1] or "uplink"] = [text for text in part.groups()[1:] if text]
    return found


@pytest.mark.parametrize("method, cell, names", ROWS, ids=[row[0] for row in ROWS])
def test_the_table_of_methods_says_what_the_configs_say(method, cell, names):
    """The same text once defaults and names of `let` are written out."""
    for name in re.findall(r"`(mnist_\w+)`", names):
        config = importlib.import_module(f"flq_jax.configs.{name}").get_config()
        texts, told = canonical_texts(config), stated(cell)
        assert "uplink" in told, method
        for option in {*told, "uplink", "downlink", "aggregate", "client", "server"}:
            default = {"client": config.client, "server": config.server}
            default |= {"downlink": "exact()", "aggregate": "WEIGHTED_MEAN"}
            found = set()
            for text in told.get(option, [default.get(option)]):
                config[option] = text
                found.add(canonical_texts(config)[option])
            assert texts[option] in found, (name, option)


def test_every_method_s_config_is_in_the_table():
    told = set(re.findall(r"`(mnist_\w+)`", " ".join(row[2] for row in ROWS)))
    assert len(ROWS) >= 25 and told >= {f"mnist_{name}" for name in METHODS}
