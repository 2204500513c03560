"""Models that take no such examples, found before any work."""

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly.model_fit import require_countable, require_fit
from flq_jax.experiments.process.errors import ConfigError


def model(name, *channels):
    config = default.get_config().model
    config.name, config.channels = name, channels
    return config


@pytest.fixture(scope="module")
def images():
    return data.synthetic(train=10, test=2)


@pytest.fixture(scope="module")
def rows(images):
    flat = images.train_inputs.reshape(10, -1)
    return images._replace(train_inputs=flat)


def test_models_that_fit_pass(images, rows):
    require_fit(model("cnn", 2, 2), images)
    require_fit(model("mlp"), rows)


@pytest.mark.parametrize(
    "config, reason",
    [
        (
            model("svhn"),
            "svhn must take .*synthetic, \\(28, 28\\): SVHNNet: images must",
        ),
        # Two rows less, then half: 28, 13, 5, 1, none.
        (model("cnn", 2, 2, 2, 2, 2), "cnn must take .* a layer has no inputs"),
    ],
)
def test_small_images_are_told_in_one_line(config, reason, images):
    with pytest.raises(ConfigError, match=f"^config.model.name: {reason}") as error:
        require_fit(config, images)
    assert "\n" not in str(error.value)


def test_rows_are_no_images(rows):
    match = (
        r"cnn must take .*synthetic, \(784,\): QuantConv: inputs must be floats \[b, h"
    )
    with pytest.raises(ConfigError, match=match):
        require_fit(model("cnn", 2), rows)


def test_the_sizes_of_the_tensors_are_told(images):
    config = model("mlp")
    config.hidden = (3,)
    assert sorted(require_fit(config, images)) == [3, 10, 30, 784 * 3]


def test_integer_products_that_overflow_are_told(images):
    """40,000 products of two bytes may come to 2.6e9."""
    config = model("mlp")
    config.hidden, config.packed = (40_000, 10), True
    config.weight_bits = config.activation_bits = 8
    with pytest.raises(ConfigError, match="results must be below .*, up to 2601000000"):
        require_fit(config, images)


def whole(**changes):
    config = default.get_config()
    with config.ignore_type():
        config.update_from_flattened_dict(changes)
    return config


@pytest.mark.parametrize("quantizer", ["identity", "sign", "eden", "thc", "top_k"])
def test_a_billion_parameters_are_countable(quantizer):
    config = whole(**{"compressor.quantizer": quantizer})
    require_countable(config, [10**9 - 10, 10])


@pytest.mark.parametrize(
    "changes, size, reason",
    [
        ({}, 2**31, r"fewer than 2\*\*31 \(i32 indices\), got 2,147,483,648"),
        ({"compressor.quantizer": "drive"}, 2**30 + 1, "padded to a power of two"),
        (
            {"network.name": "cell"},
            10**8,
            r"shorter than 2\*\*31 bits .* 3,200,000,000",
        ),
    ],
)
def test_what_cannot_be_counted_is_one_line(changes, size, reason):
    match = f"^config.model.name: logistic of {size:,} parameters: .*{reason}"
    with pytest.raises(ConfigError, match=match) as error:
        require_countable(whole(**changes), [size])
    assert "\n" not in str(error.value)
