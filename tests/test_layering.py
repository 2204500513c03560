"""Imports go down only."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
# room: the rooms of flq_jax that it may import
MAY_IMPORT = {
    "keys": set(),
    "arguments": set(),
    "single": set(),
    "precision": set(),
    "coding": set(),
    "quantizers": {"arguments", "coding", "single", "precision"},
    "compressors": {"quantizers", "arguments", "single"},
    "bitstream": set(),
    "wire": {"quantizers", "bitstream", "coding"},
    "collectives": {"compressors", "quantizers", "bitstream", "arguments"},
    "optax": {"collectives", "compressors", "quantizers", "keys", "arguments"},
    "ledger": {"quantizers"},
    "entropy": {"coding"},
    "data": {"arguments", "single"},
    "kernels": set(),
    "wireless": {"arguments", "single", "precision"},
    "models": {"quantizers", "kernels", "arguments", "single", "precision"},
    "federated": {
        *("compressors", "quantizers", "keys", "data", "arguments", "single"),
        "precision",
    },
    "testing": {"compressors", "quantizers", "wire"},
    "simulation": {
        *("federated", "compressors", "quantizers", "keys", "data", "ledger", "single"),
        *("arguments", "precision"),
    },
    "remote": {
        *("simulation", "federated", "compressors", "quantizers", "wire", "keys"),
        *("data", "ledger"),
    },
    "flower": {"remote", "federated", "compressors", "wire", "keys"},
    "networks": {
        *("federated", "compressors", "models", "wireless", "quantizers", "keys"),
        *("arguments", "single"),
    },
    "tasks": {
        *("simulation", "federated", "models", "arguments", "single", "precision"),
    },
    "expressions": {
        *("tasks", "networks", "federated", "compressors", "quantizers", "models"),
        *("data", "wireless"),
    },
}
# room of experiments: those below it; what lies at the top are the commands
BELOW = {
    "process": set(),
    "options": {"process"},
    "assembly": {"options", "process"},
    "reading": {"assembly", "options", "process"},
    "folder": {"reading", "assembly", "options", "process"},
    "engine": {"folder", "reading", "assembly", "options", "process"},
    "deployment": {"engine", "folder", "reading", "assembly", "options", "process"},
}
BESIDE = {"experiments", "configs", "benchmarks"}  # of flq_jax, in a clone
HOST_ONLY = {"ml_collections", "orbax", "rich", "matplotlib", "absl"}
# Orbax is imported when the first checkpoint is written or read, see test_checkpoints.
BUT = {"flq_jax/simulation/orbax_files.py": {"orbax"}}
FILES = sorted((ROOT / "flq_jax").rglob("*.py"))
ROOMS = sorted((ROOT / "experiments").glob("*/*.py"))


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_what_lies_below_it(path):
    parts = path.relative_to(ROOT / "flq_jax").with_suffix("").parts
    room = parts[0]
    if room == "__init__":
        return
    imported = list(_imports(path))
    rooms = {name.split(".")[1] for name in imported if name.startswith("flq_jax.")}
    assert rooms - {room} <= MAY_IMPORT[room]
    tops = {name.split(".")[0] for name in imported}
    host_only = HOST_ONLY - BUT.get(path.relative_to(ROOT).as_posix(), set())
    assert not tops & host_only


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_of_experiments_imports_only_what_lies_below_it(path):
    room = path.parent.name
    own = {"experiments"} | ({"configs"} if room != "options" else set())
    names = (name.split(".") for name in _imports(path) if name.startswith("flq_jax."))
    assert not own & {parts[1] for parts in names}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level == 2:
                assert node.module.split(".")[0] in BELOW[room]
            assert node.level < 3


def test_every_module_is_imported_by_the_name_that_it_has_when_installed():
    """By the name that it has in a clone alone it would be another one, and not found."""
    assert not {
        str(path.relative_to(ROOT)): sorted(wrong)
        for folder in (*BESIDE, "docs", "flq_jax", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (wrong := BESIDE & {name.split(".")[0] for name in _imports(path)})
    }


def test_nothing_but_commands_lies_at_the_top_of_experiments():
    for path in (ROOT / "experiments").glob("*.py"):
        text = path.read_text()
        assert not text or "def main(" in text, path.name
