"""All commands in one process: no two define a flag of the same name."""

import importlib
import pkgutil

import pytest

from flq_jax import benchmarks, experiments

MODULES = sorted(
    f"{package.__name__}.{module.name}"
    for package in (benchmarks, experiments)
    for module in pkgutil.iter_modules(package.__path__)
)


@pytest.mark.parametrize("name", MODULES)
def test_modules_can_be_imported_with_all_the_others(name):
    importlib.import_module(name)
