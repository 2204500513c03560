"""What is left out of a federation, and what stands for more than itself."""

import jax.numpy as jnp
import optax
import pytest

import flq_jax as flq
from flq_jax import federated
from flq_jax.simulation.parts import federation_of

PARAMS = {"w": jnp.zeros(3)}
CLIENT = flq.stateless(lambda key, params, shard: (jnp.float32(0.0), params))


def made(**parts):
    mesh = federated.client_mesh(2)
    return federation_of(PARAMS, CLIENT, optax.sgd(0.1), 2, mesh, **parts)


def test_clients_compute_together_as_they_are_told():
    def grouping(function):
        return function

    assert made(grouping=grouping).grouping is grouping
    assert callable(made().grouping)


def test_what_is_left_out_is_floats_of_everyone():
    found = made()
    assert found.compressor.layout(3).scheme == "identity"
    assert found.downlink.compressor.layout(3).scheme == "identity"
    assert found.network.everyone and found.aggregate is flq.WEIGHTED_MEAN


def test_a_quantizer_is_sent_without_memory():
    found = made(uplink=flq.sign(), downlink=flq.uniform(4))
    assert found.compressor.estimate is found.downlink.compressor.estimate is None
    assert found.compressor.layout(3).scheme == "sign"
    assert found.downlink.compressor.layout(3).scheme == "uniform4"


def test_a_compressor_as_downlink_keeps_its_memory():
    found = made(downlink=flq.innovation(flq.sign()))
    assert found.downlink.compressor.estimate is not None


@pytest.mark.parametrize("name", ["uplink", "downlink", "network", "aggregate"])
def test_another_part_is_refused_by_its_name(name):
    with pytest.raises(
        ValueError, match=f"^federation: {name} must be of type .* int$"
    ):
        made(**{name: 4})
