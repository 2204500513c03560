"""Strict JAX for every test: no silent rank promotion, no key used twice.

There are eight simulated devices, for the tests of sharding.
"""

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)
jax.config.update("jax_num_cpu_devices", 8)


@pytest.fixture
def key():
    return jax.random.key(0)
