"""Strict JAX for every test: no silent rank promotion, no key used twice.

There are eight simulated devices, for the tests of sharding. All processes of a test
session, those that run a command among them, share what they compile.
"""

import os
import shutil
import tempfile

_PROGRAMS = "JAX_COMPILATION_CACHE_DIR"
_OURS = _PROGRAMS not in os.environ
if _OURS:  # before JAX reads it
    os.environ[_PROGRAMS] = tempfile.mkdtemp(prefix="flq_jax_tests_")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import jax.numpy as jnp
import numpy as np
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_num_cpu_devices", 8)


def pytest_unconfigure():
    """Leaves nothing behind."""
    if _OURS:
        shutil.rmtree(os.environ[_PROGRAMS], ignore_errors=True)


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def drawn():
    """(model, inputs) -> variables of the model, drawn without compiling its init."""

    def draw(model, x):
        rng = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), x)
        return jax.tree.map(
            lambda leaf: jnp.asarray(0.2 * rng.standard_normal(leaf.shape), leaf.dtype),
            shapes,
        )

    return draw
