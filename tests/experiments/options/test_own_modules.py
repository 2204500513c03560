"""What lies beside a config file, and what it defines itself."""

import importlib
import sys

import pytest

from flq_jax.configs import default
from flq_jax.experiments.options import config_file, own_modules
from flq_jax.expressions.modules import imported


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A config's folder: what is imported from it is forgotten again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    own_modules.beside(str(tmp_path / "config.py"))
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


OWN = """
from flq_jax.configs import default
from flq_jax.quantizers import uniform

LEVELS = 3


def ternary(scale=1.0):
    return uniform(2)


class Wide:
    pass


def get_config():
    config = default.get_config()
    config.let.q = "ternary(scale=2.0)"
    config.uplink = "direct(ternary())"
    config.model = "Wide()"
    return config


def sweep():
    return {"a": get_config()}
"""


def test_names_of_the_config_file_get_its_name(folder):
    file = folder / "mine_config.py"
    file.write_text(OWN)
    own = config_file.own_names(str(file))
    assert own == {"ternary": "mine_config.ternary", "Wide": "mine_config.Wide"}
    config = own_modules.qualified(config_file.load(str(file)), own)
    assert config.uplink == "direct(mine_config.ternary())"
    assert config.let.q == "mine_config.ternary(scale=2.0)"
    assert config.model == "mine_config.Wide()"
    assert config.downlink == default.get_config().downlink
    assert callable(imported("mine_config.ternary"))


def test_what_is_no_expression_is_left_for_whoever_evaluates_it():
    config = default.get_config()
    config.uplink = "direct(ternary("
    found = own_modules.qualified(config, {"ternary": "mine.ternary"})
    assert found.uplink == "direct(ternary("
