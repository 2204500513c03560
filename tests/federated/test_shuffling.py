"""A client's examples in a random order, the same on every platform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerators import lowered

from flq_jax.federated import shuffling


@pytest.mark.parametrize("capacity", [5, 300, 1000])
def test_an_accelerator_shuffles_alike(capacity):
    dice = np.random.default_rng(0).random(capacity, np.float32)
    sizes = np.array([n for n in (0, 1, 5, 63, 64, 250, 999, 1000) if n <= capacity])

    def orders(form):
        each = jax.vmap(lambda size: form(size, dice, jnp.arange(capacity)))
        return jax.jit(each)(sizes)

    one, few = orders(shuffling._sorted_first), orders(shuffling._by_a_few_sorts)
    np.testing.assert_array_equal(one, few)
    for size, order in zip(sizes, np.asarray(one)):
        assert sorted(order[:size]) == [*range(size)]
        assert list(order[size:]) == [*range(size, capacity)]


@pytest.mark.parametrize("platform, sorts", [("cpu", 3), ("cuda", 1), ("tpu", 1)])
def test_an_accelerator_sorts_once(platform, sorts):
    """Of 4,000 a CPU has sorts of 4,000, 1,000 and 250, of which one is run."""
    size = jax.ShapeDtypeStruct((), np.int32)

    def order(size):
        return shuffling.shuffled(jax.random.key(0), size, 4000)

    text = lowered(order, size, platform=platform)
    assert text.count("stablehlo.sort") == sorts
    assert ("stablehlo.while" in text) == (platform == "cpu")
