"""For whom a node works, and with what."""

import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly import build
from flq_jax.experiments.process.errors import ConfigError

pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flq_jax.experiments.deployment import working


@pytest.mark.parametrize(
    "node, clients",
    [
        ({"node": 0, "nodes": 2}, [0, 2, 4]),
        ({"node": 1, "nodes": 2}, [1, 3]),
        ({"clients": "0,3"}, [0, 3]),
    ],
)
def test_clients_are_dealt_round(node, clients):
    assert working.clients_of(node, 5) == clients


@pytest.mark.parametrize(
    "node", [{}, {"node": 2, "nodes": 2}, {"clients": "5"}, {"clients": "all"}]
)
def test_a_node_that_works_for_nobody_is_refused(node):
    with pytest.raises(ConfigError, match="--node-config: "):
        working.clients_of(node, 5)


def test_a_node_has_its_clients_own_examples_where_clients_differ():
    config = default.get_config()
    config.clients, config.split = 4, "quantity_skew(alpha=0.5, min_size=1)"
    config.data, config.client = "synthetic()", "gradient(batch=5)"
    dataset = data.synthetic(train=100, test=10)
    parts = build.split(config, dataset)
    shards = working.work(config, dataset, [1, 3]).node.shards
    assert [*shards] == [1, 3]
    for m, shard in shards.items():
        size = len(parts[m])
        assert shard.sizes == size and shard.capacity >= max(map(len, parts))
        np.testing.assert_array_equal(
            shard.inputs[:size], dataset.train_inputs[parts[m]]
        )
        np.testing.assert_array_equal(
            shard.labels[:size], dataset.train_labels[parts[m]]
        )
