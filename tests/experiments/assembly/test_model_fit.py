"""Models that take no such examples, found before any work."""

import pytest

from configs import default
from experiments.assembly.model_fit import require_fit
from experiments.process.errors import ConfigError
from flq_jax import data


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
