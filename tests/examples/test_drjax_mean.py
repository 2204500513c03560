"""DrJAX's mean by messages: what shard_map gives, and bytes alone between the devices."""

import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import arrays, collectives
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import flq_jax as flq

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "drjax_mean.py"
R, D = 4, 600


@pytest.fixture
def example():
    pytest.importorskip("drjax", reason="drjax is not installed: pip install drjax")
    return runpy.run_path(str(EXAMPLE))


def test_a_round_exchanges_messages_alone_and_is_that_of_the_mean(example):
    """Five steps at 0.1 from 0 come to 1 - 0.9^5 of a target t: x_r = -(1 - 0.9^5) t."""
    mesh = Mesh(np.array(jax.devices()[:R]), ("replicas",))
    mean = flq.compressed_mean(flq.error_feedback(flq.sign()), "replicas", R)
    params, state = jnp.zeros(D), mean.init(jnp.zeros(D))
    targets = jax.random.normal(jax.random.key(0), (R, D))
    rows, everywhere = (NamedSharding(mesh, spec) for spec in (P("replicas"), P()))
    lies = everywhere, flq.MeanState(rows, everywhere, everywhere), everywhere, rows
    args = jax.device_put((jax.random.key(1), state, params, targets), lies)
    with jax.set_mesh(mesh):
        program = example["rounds_of"](mean, mesh).lower(*args).compile()
        got, after = program(*args)
    ((how, what),) = collectives(program)
    ((dtype, shape),) = arrays(what)
    assert (how, dtype) == ("all-gather", "u8") and np.prod(shape) == R * 128
    x = -(1 - 0.9**5) * np.asarray(targets)
    signs = np.where(x >= 0, 1, -1) * np.abs(x).mean(1, keepdims=True)
    np.testing.assert_allclose(got, -signs.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after.senders, x - signs, rtol=1e-4, atol=1e-6)
