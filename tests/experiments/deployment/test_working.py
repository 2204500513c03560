"""For whom a node works, and with what."""

import pytest

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
