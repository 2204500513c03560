"""As many trips as are asked for, in a loop of either kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from accelerators import lowered

from flq_jax.federated.repeated import counted, masked, repeated


def step(index, carry):
    return {"sum": carry["sum"] + index, "last": index}


START = {"sum": jnp.int32(10), "last": jnp.int32(-1)}


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_both_forms_take_the_trips_that_are_asked_for(count):
    expected = {"sum": 10 + sum(range(count)), "last": count - 1}
    asked = jnp.int32(count)
    assert counted(step, asked, START) == expected
    assert masked(step, 5, asked, START) == expected
    assert jax.jit(lambda n: repeated(n, 5, step, START))(asked) == expected


def test_clients_stop_each_at_its_own():
    counts = jnp.array([2, 0, 5])
    for form in (
        lambda n: masked(step, 5, n, START),
        lambda n: repeated(n, 5, step, START),
    ):
        found = jax.jit(jax.vmap(form))(counts)
        np.testing.assert_array_equal(found["sum"], [11, 10, 20])
        np.testing.assert_array_equal(found["last"], [1, -1, 4])


def test_an_accelerator_is_told_the_length():
    asked = jax.ShapeDtypeStruct((), np.int32)
    programs = [
        lowered(lambda n: repeated(n, 12345, step, START), asked, platform=platform)
        for platform in ("cpu", "cuda", "tpu")
    ]
    assert ["12345" in text for text in programs] == [False, True, True]
    assert all(text.count("stablehlo.while") == 1 for text in programs)
