"""Which rounds the card measures, and the floors beside them."""

import math

import pytest

from flq_jax import data
from flq_jax.benchmarks.on_card import federations
from flq_jax.configs import default
from flq_jax.experiments.assembly.build import build

EPOCHS = "local_epochs(optimizer=optax.sgd(0.1), batch=5, epochs=2)"


def test_every_federation_is_measured_as_chosen_and_together():
    works = [work for work, _ in federations.rounds(False, {})]
    chosen = [work.removesuffix(", chosen") for work in works[::2]]
    assert works[1::2] == [f"{work}, together" for work in chosen]
    assert len(chosen) == len(set(chosen)) == 4


def test_seeds_are_1_to_64():
    works = [work for work, _ in federations.seeds(False, {})]
    counts = [int(work.split()[-2]) for work in works]
    assert counts == [1, 4, 16, 64] * 2


@pytest.fixture(scope="module")
def floor():
    """(config's client, ceilings) -> floor of a round of 10 clients of 12 examples."""
    dataset = data.synthetic(train=120, test=10)

    def found(client, ceiling):
        config = default.get_config()
        config.clients, config.client = 10, client
        run = build(config, dataset)
        return federations.floor_us(config, dataset, run, ceiling), dataset, run

    return found


def test_operations_are_a_floor(floor):
    ceiling = {"f32": 4.0, "bytes": math.inf}
    us, dataset, _ = floor("gradient(batch=5)", ceiling)
    # W x and its gradient with respect to W, of 50 examples.
    macs = dataset.train_inputs[0].size * dataset.num_classes
    assert us == 50 * 2 * 2 * macs / 4.0


def test_bytes_are_a_floor(floor):
    ceiling = {"f32": math.inf, "bytes": 4.0}
    once, dataset, run = floor("gradient(batch=5)", ceiling)
    floats = (dataset.train_inputs[0].size + 1) * dataset.num_classes
    assert run.state.params.size == floats
    # Clients have no memory: the model alone is read and written.
    assert once == 2 * 4 * floats / 4.0
    # Each of ten clients takes 12 / 5 steps in each of two epochs, on a model of its own.
    epochs, *_ = floor(EPOCHS, ceiling)
    assert epochs - once == pytest.approx(2 * 4 * floats * 10 * 24 / 5 / 4.0, rel=0.01)
