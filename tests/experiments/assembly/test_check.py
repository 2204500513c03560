"""Parts that don't fit one another or the data, found before any work."""

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.assembly.setting import setting
from flq_jax.experiments.process.errors import ConfigError

EPOCHS = "local_epochs(optimizer=optax.sgd(0.1), batch=1, epochs=1)"


def config(**options):
    config = default.get_config()
    config.update(options)
    return config


@pytest.fixture(scope="module")
def images():
    return data.synthetic(train=10, test=2)


@pytest.fixture(scope="module")
def rows(images):
    flat = images.train_inputs.reshape(10, -1)
    return images._replace(train_inputs=flat)


def fit(dataset, **options):
    require_fit(config(**options), dataset, [1] * 10)


def test_models_that_fit_pass(images, rows):
    fit(images, model="CNN((2, 2))", client="gradient(batch=1)")
    fit(rows, model="MLP()", client="gradient(batch=1)")


@pytest.mark.parametrize(
    "model, reason",
    [
        (
            "SVHNNet()",
            r"SVHNNet\(\) must take .*synthetic, \(28, 28\): SVHNNet: images",
        ),
        # Two rows less, then half: 28, 13, 5, 1, none.
        ("CNN((2, 2, 2, 2, 2))", r"CNN\(.*\) must take .* a layer has no inputs"),
    ],
)
def test_small_images_are_told_in_one_line(model, reason, images):
    with pytest.raises(ConfigError, match=f"^config.model: {reason}") as error:
        fit(images, model=model)
    assert "\n" not in str(error.value)


def test_rows_are_no_images(rows):
    match = r"CNN\(.*\) must take .*, \(784,\): QuantConv: inputs must be floats \[b, h"
    with pytest.raises(ConfigError, match=match):
        fit(rows, model="CNN((2,))")


def test_expressions_may_use_the_sizes_of_the_tensors(images):
    values = setting(config(model="MLP((3,))"), images).values
    assert sorted(values["sizes"]) == [3, 10, 30, 784 * 3]
    assert sorted(values["shapes"]) == [(3,), (3, 784), (10,), (10, 3)]
    assert values["d"] == 3 + 10 + 30 + 784 * 3


def test_messages_may_be_cut_as_what_is_broadcast_is(images):
    """SCAFFOLD's broadcast has the control beside the model: twice as many tensors."""
    options = {"model": "MLP((3,))", "uplink": "error_feedback(low_rank(1))"}
    fit(images, **options, client="gradient(batch=1)")
    fit(
        images,
        **options,
        client="scaffold(optimizer=optax.sgd(0.1), batch=1, epochs=1)",
    )


def test_integer_products_that_overflow_are_told(images):
    """40,000 products of two bytes may come to 2.6e9."""
    model = "MLP((40_000, 10), bits=Bits(8, 8))"
    with pytest.raises(ConfigError, match="results must be below .*, up to 2601000000"):
        fit(images, model=model, packed=True)


@pytest.mark.parametrize("quantizer", ["identity", "sign", "eden", "thc", "top_k"])
def test_a_billion_parameters_are_countable(quantizer, rows):
    """MLP: 784 units of an input and 1,274,209 hidden ones, 10 outputs."""
    args = {"eden": "1", "thc": "4", "top_k": "0.01"}.get(quantizer, "")
    uplink = f"direct({quantizer}({args}))"
    options = {"model": "MLP((1_257_000,))", "client": "gradient(batch=1)"}
    assert setting(config(**options), rows).values["d"] == 999_315_010
    fit(rows, uplink=uplink, **options)


@pytest.mark.parametrize(
    "options, size, reason",
    [
        (
            {"model": "MLP((2_701_253,))"},
            2_147_496_145,
            r"fewer than 2\*\*31 \(i32 indices\), got 2,147,496,145",
        ),
        (
            {"model": "MLP((1_350_626,))", "uplink": "drive()"},
            1_073_747_680,
            "padded to a power of two",
        ),
        (
            {"model": "MLP((125_800,))", "network": "cell(all_eligible())"},
            100_011_010,
            r"shorter than 2\*\*31 bits .* 3,200,352,320",
        ),
    ],
)
def test_what_cannot_be_counted_is_one_line(options, size, reason, rows):
    with pytest.raises(ConfigError, match=f"^config.*{reason}") as error:
        fit(rows, client="gradient(batch=1)", **options)
    assert "\n" not in str(error.value)
    assert setting(config(**options), rows).values["d"] == size


@pytest.mark.parametrize(
    "options, told",
    [
        ({"client": EPOCHS}, "must be 0 unless f. can be solved for"),
        ({"client": "gradient(batch=0)", "model": "MLP()"}, "of a convex loss"),
        (
            {"client": "gradient(batch=0)", "model": "Logistic(bits=Bits(8, 8, 8))"},
            "of a convex loss",
        ),
        ({"client": "gradient(batch=0)", "network": "sampled(3)"}, "everyone"),
    ],
)
def test_a_residual_is_of_what_can_be_solved_for(options, told, images):
    with pytest.raises(ConfigError, match=f"^config.stop.residual: .*{told}"):
        fit(images, stop={"residual": 1e-6}, **options)
    fit(images, stop={"residual": 1e-6}, client="gradient(batch=0)")


def test_nobody_is_watched_who_may_be_away(images):
    options = {"log": {"study": "messages"}, "client": "gradient(batch=1)"}
    fit(images, **options)
    for network in ("sampled(3)", "cell(all_eligible())"):
        with pytest.raises(ConfigError, match="^config.log.study: must be none where"):
            fit(images, network=network, **options)


def test_a_minibatch_is_not_far_larger_than_every_share(images):
    """Ten times the one example that each of them has; all of it is no minibatch."""
    for client in ("gradient(batch=10)", "gradient(batch=0)"):
        fit(images, client=client)
    fit(images, client=EPOCHS.replace("batch=1", "batch=10**6"))
    told = "^config.client: .*batch must be at most 10 times the 1 example.*, got 11"
    with pytest.raises(ConfigError, match=told):
        fit(images, client="gradient(batch=11)")


OWN = """
import flax.linen as nn
import jax.numpy as jnp

from flq_jax.quantizers import sign

WRONG = jnp.ones(3)  # of no parameters


class Flat(nn.Module):
    num_classes: int = 10

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.num_classes)(x.reshape(x.shape[0], -1))


def broken():
    quantizer = sign()

    def encode(key, v, *rest):
        return quantizer.encode(key, v + WRONG, *rest)

    return quantizer._replace(encode=encode)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_parts_of_check.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_round_of_own_parts_is_traced_and_told_in_one_line(own, images):
    """Also of the first config that names them, before which nothing has imported them."""
    options = {"client": "gradient(batch=1)"}
    with pytest.raises(
        ConfigError, match="^config.uplink: .* a round can't be traced"
    ) as error:
        fit(images, uplink="own_parts_of_check.broken()", **options)
    assert "\n" not in str(error.value)
    fit(images, model="own_parts_of_check.Flat()", **options)


def test_integers_are_of_models_that_have_them(own, images):
    options = {"client": "gradient(batch=1)", "packed": True}
    fit(images, **options)
    with pytest.raises(ConfigError, match="^config.packed: must be False for a model"):
        fit(images, model="own_parts_of_check.Flat()", **options)


def test_a_model_with_fewer_logits_than_classes_is_refused(images):
    told = "^config.task: .*a logit for each of the 10 classes, got 5"
    with pytest.raises(ConfigError, match=told):
        fit(images, model="Logistic(5)", client="gradient(batch=1)")
