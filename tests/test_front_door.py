"""`import flq_jax as flq`: light, and all that it names is there."""

import importlib
import pathlib
import subprocess
import sys

import pytest

import flq_jax as flq

ROOMS = {
    path.stem
    for path in (pathlib.Path(flq.__file__).parent).iterdir()
    if not path.name.startswith(("_", "py.typed"))
}


def test_the_package_alone_imports_nothing_else():
    code = (
        "import sys, flq_jax; dir(flq_jax)\n"
        "assert 'jax' not in sys.modules and 'numpy' not in sys.modules\n"
        "assert not [name for name in sys.modules if name.startswith('flq_jax.')]\n"
        "assert 'lazy' in dir(flq_jax) and 'Simulation' in flq_jax.__all__\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_low_room_imports_none_above_it():
    code = "import sys, flq_jax.keys; assert 'flq_jax.quantizers' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", flq.__all__)
def test_every_name_is_that_of_its_room(name):
    """And no name is a room's, which would take its place once it is imported."""
    found = getattr(flq, name)
    if name in ROOMS:
        assert found is importlib.import_module(f"flq_jax.{name}")
        assert name not in flq._MODULE_OF
    else:
        room = importlib.import_module(f"flq_jax.{flq._MODULE_OF[name]}")
        assert found is getattr(room, name)


def test_every_room_is_there():
    assert ROOMS <= {*flq.__all__}


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'flq_jax' has no attribute 'lazzy'"):
        flq.lazzy  # noqa: B018 it is the access that fails
