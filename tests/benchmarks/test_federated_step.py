"""The bare round beside which the federated step is timed is the same on all devices."""

import jax
import numpy as np
import pytest

from flq_jax import data, federated
from flq_jax.benchmarks import federated_step
from flq_jax.configs import default
from flq_jax.experiments.assembly.build import build


@pytest.fixture(scope="module")
def run():
    config = default.get_config()
    config.clients, config.client = 4, "gradient(batch=5)"
    return build(config, data.load("synthetic"))


def test_devices_take_the_step_that_one_takes(run):
    """A closed-over model does not pass into the devices' groups."""
    found = []
    for count in 1, 2:
        mesh = jax.sharding.Mesh(jax.devices()[:count], ("clients",))
        everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        state, root, shards = jax.device_put(
            (run.state, run.root, run.data), everywhere
        )
        grouping = federated.in_groups(2, mesh if count > 1 else None)
        federation = run.federation._replace(grouping=grouping)
        spread = run._replace(
            federation=federation, state=state, root=root, data=shards
        )
        found.append(federated_step.bare_mean(spread, 4, 2)())
    assert not np.array_equal(found[0], run.state.params)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-6)
