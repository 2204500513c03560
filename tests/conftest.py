"""Strict JAX for every test: no silent rank promotion, no key used twice.

There are eight simulated devices, for the tests of sharding. What is compiled is kept in
pytest's cache, for all processes of a session, those that run a command among them, and
for the next session: `pytest --cache-clear` starts anew.

`pytest` by itself, most of whose time goes to compiling, has XLA optimise little: a program
of few runs is compiled in a third of the time, and a law holds of it, too. Tests of
kernels are optimised. The processes that `-m more` starts, tutorials and examples among
them, and all of `-m repro` have the programs that users have.
"""

import gc
import os

import installed
import jax
import numpy as np
import pytest

from flq_jax.experiments.process import compilation_cache

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_num_cpu_devices", 8)


# A module is compiled whole, for cutting it up for threads is work, too, and by the
# emitters that take a third of the time, which XLA had until JAX 0.10: it aborts at a flag
# that it does not know.
QUICK = "--xla_cpu_parallel_codegen_split_count=1"
if jax.__version_info__ < (0, 11):
    QUICK += " --xla_cpu_use_fusion_emitters=false"


def optimise_little():
    """Here, and in the processes that tests start."""
    jax.config.update("jax_disable_most_optimizations", True)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    flags = os.environ.get("XLA_FLAGS", "")
    if QUICK not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {QUICK}".strip()


def optimise_little_here():
    """But not in the processes that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"):
            patch.setenv(name, os.environ.get(name, ""))
        optimise_little()
        jax.block_until_ready(jax.jit(lambda x: x)(1.0))  # XLA reads its flags once


def pytest_configure(config):
    """Keeps compiled programs, unless JAX has been told where or pytest keeps nothing."""
    cache = getattr(config, "cache", None)  # gone with -p no:cacheprovider
    if cache and jax.config.jax_compilation_cache_dir is None:
        folder = cache.mkdir("programs") / compilation_cache.folder().name
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    if "not more" in config.option.markexpr:
        optimise_little()
    elif "more" in config.option.markexpr:
        optimise_little_here()


def pytest_collection(session):
    """A quarter of collecting went to looking for garbage where there is none."""
    gc.disable()


def pytest_collection_finish(session):
    """What was imported is looked through no more."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel's file."""
    return installed.built(*map(tmp_path_factory.mktemp, ("source", "built")))


@pytest.fixture(scope="session")
def site(wheel, tmp_path_factory):
    """A folder where the wheel, and nothing else, is installed."""
    folder = tmp_path_factory.mktemp("site")
    installed.install(wheel, folder)
    return folder


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def optimised():
    """XLA optimises this test's programs in full, see `optimise_little`."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    little = "JAX_DISABLE_MOST_OPTIMIZATIONS" in os.environ
    jax.config.update("jax_disable_most_optimizations", little)


@pytest.fixture
def drawn():
    """(model, inputs) -> variables of the model, drawn by NumPy: nothing is compiled."""

    def draw(model, x):
        rng = np.random.default_rng(0)
        shapes = jax.eval_shape(model.init, jax.random.key(0), x)
        return jax.tree.map(
            lambda leaf: (0.2 * rng.standard_normal(leaf.shape)).astype(leaf.dtype),
            shapes,
        )

    return draw
