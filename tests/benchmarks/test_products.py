"""The floor counts what a round's gradients multiply and add."""

import pytest

from flq_jax import data
from flq_jax.benchmarks import products
from flq_jax.configs import default
from flq_jax.experiments.assembly.build import build
from flq_jax.models import MLP, Logistic

EPOCHS = "local_epochs(optimizer=optax.sgd(0.1), batch=5, epochs=2)"


@pytest.mark.parametrize(
    "model, operations",
    [
        # W x and its gradient with respect to W, 3 x 4 by 5, twice each number.
        (Logistic(5), 2 * 2 * 60),
        # Three products of 7 x 5, and two of 12 x 7: none with respect to the images.
        (MLP((7,), 5), 2 * (3 * 35 + 2 * 84)),
    ],
)
def test_a_gradient_is_two_or_three_products_a_layer(model, operations):
    assert products.gradient_operations(model, (3, 4)) == operations


@pytest.mark.parametrize(
    "options, examples",
    [
        ({"client": "gradient(batch=5)"}, 10 * 5),
        ({"client": EPOCHS}, 2 * 120),
        ({"client": EPOCHS, "network": "sampled(3)"}, 2 * 36),
    ],
)
def test_a_round_has_a_gradient_of_each_example(options, examples):
    config = default.get_config()
    config.clients = 10
    config.update(options)
    dataset = data.synthetic(train=120, test=10)
    one = products.round_operations(dataset, config, build(config, dataset))
    one //= examples
    inputs = dataset.train_inputs[0].size
    assert one == 2 * 2 * inputs * dataset.num_classes


def test_products_run():
    assert products.products(5e6)().shape == (2, 1024)
