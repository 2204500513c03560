"""The bytes of a run are what the ledger says, for every kind of link."""

import importlib

import pytest

from experiments import audit, build
from flq_jax import data

METHODS = [
    "mnist_sgd",
    "mnist_slaq",
    "mnist_ef_sign",
    "mnist_flq_binary",
    "mnist_flq_low",
    "mnist_qgd_geometric",
    "mnist_two_laq",
    "mnist_clag",
    "mnist_signum",
    "mnist_onebit_adam",
]


@pytest.mark.parametrize("name", METHODS)
def test_bytes_on_the_wire_are_those_of_the_ledger(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    config.client.batch = config.client.batch and 20
    config.warm_up = min(config.warm_up, 2)
    run = build.build(config, data.synthetic(train=500, test=10))
    found = audit.audit(run, 4)
    assert config.compressor.lazy or found.uploads == 4 * config.clients
    assert found.uploads > 0
    if not config.warm_up:
        assert found.ledger_bits == found.uploads * run.links.uplink.num_bits
        assert found.wire_bytes == found.uploads * -(-run.links.uplink.num_bits // 8)
