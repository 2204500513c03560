"""Modules of one's own, and files that may be anybody's."""

import hashlib
import importlib
import sys

import flax.linen as nn
import optax
import pytest

import flq_jax
from flq_jax.expressions import modules
from flq_jax.expressions.expression import ExpressionError, parse
from flq_jax.models import MLP


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A config's folder: what is imported from it is forgotten again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    sys.path.append(str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_module_beside_the_config_may_be_named(folder):
    (folder / "mine_beside.py").write_text("def seven():\n    return 7\n")
    assert modules.imported("mine_beside.seven")() == 7
    (folder / "mine_pack").mkdir()
    (folder / "mine_pack/inner.py").write_text("seven = 7\n")
    assert modules.imported("mine_pack.inner.seven") == 7
    assert modules.imported("optax.adam") is optax.adam


def test_an_installed_module_of_the_same_name_wins(folder):
    (folder / "colorsys.py").write_text("def seven():\n    return 7\n")
    with pytest.raises(ExpressionError, match="^colorsys.seven: no such name in .*lib"):
        modules.imported("colorsys.seven")


@pytest.mark.parametrize(
    "text, match",
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines$"),
        ("def f(", "SyntaxError: '\\(' was never closed"),
        ("import nowhere_at_all", "ModuleNotFoundError"),
        ("x = 1", "no such name in .*mine_bad.py"),
    ],
)
def test_a_module_that_is_none_is_one_line(text, match, folder):
    (folder / "mine_bad.py").write_text(text)
    with pytest.raises(ExpressionError, match=f"^mine_bad.f: .*{match}") as error:
        modules.imported("mine_bad.f")
    assert "\n" not in str(error.value)


def test_a_module_that_is_not_there_is_one_line():
    with pytest.raises(
        ExpressionError, match="^nowhere.f: can't import nowhere: Module"
    ):
        modules.imported("nowhere.f")


def test_a_digest_is_of_the_module_and_of_all_that_it_imports_beside_it(folder):
    (folder / "mine_main.py").write_text(
        "import math\nimport optax\nfrom mine_table import LEVELS\n\n\n"
        "def f():\n    import mine_late.deep\n    return LEVELS\n"
    )
    (folder / "mine_table.py").write_text("from mine_base import *\nLEVELS = 3\n")
    (folder / "mine_base.py").write_text("import mine_main\n")
    (folder / "mine_other.py").write_text("")
    (folder / "mine_late").mkdir()
    (folder / "mine_late/__init__.py").write_text("from . import near\n")
    (folder / "mine_late/near.py").write_text("from ..nothing import x\n")
    (folder / "mine_late/deep.py").write_text("from .near import y\nfrom . import z\n")
    modules.imported("mine_main.f")
    found = modules.digests([parse("direct(mine_main.f(optax.adam(1)))")])
    files = {
        "mine_main": "mine_main.py",
        "mine_table": "mine_table.py",
        "mine_base": "mine_base.py",
        "mine_late": "mine_late/__init__.py",
        "mine_late.near": "mine_late/near.py",
        "mine_late.deep": "mine_late/deep.py",
    }
    assert found == {name: sha256(folder / path) for name, path in files.items()}
    (folder / "mine_table.py").write_text("LEVELS = 4\n")
    again = modules.digests([parse("mine_main.f()")])
    assert again["mine_table"] != found["mine_table"]


def test_a_module_of_a_package_goes_with_its_package(folder):
    (folder / "mine_group").mkdir()
    (folder / "mine_group/__init__.py").write_text("")
    (folder / "mine_group/one.py").write_text("from .two import g\n\nf = g\n")
    (folder / "mine_group/two.py").write_text("def g():\n    return 7\n")
    assert modules.imported("mine_group.one.f")() == 7
    found = modules.digests([parse("mine_group.one.f()")])
    assert set(found) == {"mine_group", "mine_group.one", "mine_group.two"}


def test_ours_and_what_installed_ones_import_have_no_digest():
    assert not modules.digests([parse("direct(flq_jax.uniform(optax.adam(1)))")])
    modules.imported("flax.linen.Dense")
    found = modules.digests([parse("flax.linen.Dense(10)")])
    assert set(found) == {"flax", "flax.linen"}


@pytest.mark.parametrize(
    "dotted",
    [
        "os.system", "builtins.eval", "builtins.open", "subprocess.run", "jax.pure_callback",
        "flax.linen.Dense", "numpy.load", "mine_foreign.f", "sys.exit", "optax.os.system",
        "flq_jax.experiments.main.main", "flq_jax.experiments.process.children.start",
        "flq_jax.data.files.os", "flq_jax.data.files.os.system", "flq_jax.data.files.np.load",
        "flq_jax.configs.default.get_config", "flq_jax.benchmarks.stack.main",
        "flq_jax.importlib.import_module", "flq_jax.os.system", "flq_jax._MODULE_OF.get",
        "flq_jax.models.layers.jax", "flq_jax.models.MLP.init", "flq_jax.models.nothing",
        "flq_jax.arguments.inspect.getsource", "flq_jax.keys.jax", "flq_jax.Nothing",
        "optax.contrib.jax.numpy.save", "optax.jax", "optax.losses.jax.pure_callback",
        "optax.adam.__globals__", "optax.__builtins__", "flq_jax.__dict__", "flq_jax.models",
        "flq_jax", "optax", "optax.contrib", "flq_jax.", "flq_jax..models", "optax.adam.x",
    ],
)  # fmt: skip
def test_a_file_from_elsewhere_names_public_parts_of_flq_jax_and_optax_alone(
    dotted, folder
):
    ran = folder / "ran"
    (folder / "mine_foreign.py").write_text(f"open({str(ran)!r}, 'w')\nf = 1\n")
    before = set(sys.modules)
    with pytest.raises(ExpressionError, match="public name|parts of flq_jax and optax"):
        modules.imported_from_elsewhere(dotted)
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    assert new <= {"flq_jax"} and not ran.exists()
    assert not any(
        n.startswith("flq_jax.benchmarks") for n in set(sys.modules) - before
    )


def test_public_parts_may_stand_in_a_file_from_elsewhere():
    assert modules.imported_from_elsewhere("optax.adam") is optax.adam
    assert modules.imported_from_elsewhere("flq_jax.models.MLP") is MLP
    assert modules.imported_from_elsewhere("flq_jax.uniform") is flq_jax.uniform
    assert issubclass(MLP, nn.Module)
