"""Every config is valid, small, and says how it is run."""

import importlib
import pathlib

import numpy as np
import pytest

from flq_jax.data import load
from flq_jax.experiments.options import help, rules, validation
from flq_jax.experiments.options.names import flatten
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.quantizers import fixed_point

ROOT = pathlib.Path(__file__).parent.parent
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("mnist_*.py"))
PROMISED = {
    "mnist_gd", "mnist_qgd", "mnist_qgd_geometric", "mnist_lag", "mnist_laq", "mnist_sgd",
    "mnist_slaq", "mnist_ef_sign", "mnist_flq_binary", "mnist_flq_low", "mnist_fedavg",
    "mnist_drive", "mnist_eden", "mnist_quic_fl", "mnist_thc", "mnist_uveqfed",
}  # fmt: skip


def _config(name="default"):
    return importlib.import_module(f"flq_jax.configs.{name}").get_config()


def test_the_promised_methods_are_there():
    assert set(NAMES) >= PROMISED


@pytest.mark.parametrize("name", ["default", "mnist_fixed_point"])
def test_fixed_points_range_holds_the_gradients_that_it_is_for(name):
    """Softmax regression's first, which are the largest: x (1/10 - y), by client."""
    told, data = _config(name).compressor, load("mnist")
    images, labels = data.train_inputs / np.float32(255), data.train_labels
    off = np.float32(0.1) - np.eye(10, dtype=np.float32)[labels]
    clients = zip(np.array_split(images, 10), np.array_split(off, 10))
    grid = fixed_point(told.bits, told.fraction)
    for x, y in clients:
        gradient = x.reshape(len(x), -1).T @ y / len(x)
        assert not grid.overload(gradient.ravel())


PAPER = sorted(path.stem for path in (ROOT / "configs" / "paper").glob("[!_]*.py"))


@pytest.mark.parametrize("name", [*NAMES, "default"])
def test_config_is_valid(name):
    validation.validate(_config(name))


@pytest.mark.parametrize("name", PAPER)
def test_every_run_of_the_papers_configs_is_valid(name):
    module = importlib.import_module(f"flq_jax.configs.paper.{name}")
    runs = module.sweep() if hasattr(module, "sweep") else {name: module.get_config()}
    assert runs
    for config in runs.values():
        validation.validate(config)


@pytest.mark.parametrize("name", NAMES)
def test_config_states_its_command(name):
    text = (ROOT / "configs" / f"{name}.py").read_text()
    assert f"python -m experiments.main --config=configs/{name}.py" in text
    assert "COST" not in text


def test_every_option_has_a_rule_and_a_comment():
    documented = help.comments()
    assert set(rules.RULES) == set(flatten(_config())) == set(documented)
    assert all(documented.values())


FULL_BATCH = {"stop.residual": 1e-6, "client.batch": 0}
BUCKETS = {"compressor.bucket": 100}
BAD = [
    ("rounds", 0, "an integer in 1.."),
    ("clients", 0, "an integer in 1.."),
    ("sampled", 11, "at most config.clients=10, got 11"),
    ("seed", -1, "got -1"),
    ("l2", -0.1, "0 or more, got -0.1"),
    ("l2", float("nan"), "got nan"),
    ("data.partition", "contigous", "did you mean contiguous?"),
    ("data.alpha", 0.0, r"in \(0, 1e9\], got 0.0"),
    ("model.name", "rnn", "one of logistic, mlp, cnn, mcmahan_cnn, svhn, got 'rnn'"),
    ("model.hidden", (0,), "integers, 1 or more"),
    ("model.hidden", (), "integers, 1 or more"),
    ("model.channels", (8, 0), "integers, 1 or more"),
    ("model.weight_bits", 9, "1..8, or 32, got 9"),
    ("model.activation_bits", 0, "1..8, or 32, got 0"),
    ("client.batch", -1, "got -1"),
    ("client.learning_rate", 0.0, "above 0"),
    ("compressor.bits", 0, "an integer in 1..8, got 0"),
    ("compressor.bits", 9, "an integer in 1..8, got 9"),
    ("compressor.quantizer", "unifrom", "did you mean uniform?"),
    ("compressor.rate", 0.0, r"a number in \(0, 8\], got 0.0"),
    ("compressor.lattice", "hexagon", "did you mean hexagonal?"),
    ("compressor.granularity", 256, "an integer in 1..255"),
    ("compressor.radius_rate", 1.5, r"a number in \(0, 1\], got 1.5"),
    ("compressor.lazy", True, "config.compressor.memory: must be innovation"),
    ("compressor.radius", "geometric", "uniform with a geometric radius"),
    ({"warm_up": 5, "network.name": "cell"}, "", "0 in a cell"),
    ({"warm_up": 5, "compressor.quantizer": "top_k"}, "", "without a code a coord"),
    ("server.optimizer", "onebit_adam", "warm_up: must be 1 or more"),
    (
        {"server.optimizer": "onebit_adam", "warm_up": 1},
        "",
        "momentum: must be above 0",
    ),
    (
        {
            "server.optimizer": "onebit_adam",
            "warm_up": 1,
            "compressor.momentum": 0.9,
            "sampled": 5,
        },
        "",
        "sampled: must be 0 for onebit_adam",
    ),
    ("compressor.momentum", 1.0, r"in \[0, 1\), got 1.0"),
    ({"log.study": "levels", "sampled": 3}, "", "client 0 does not take part"),
    ("downlink.bits", 9, "got 9"),
    ({"downlink.memory": "innovation", "sampled": 3}, "", "has missed a part"),
    ({"downlink.memory": "innovation", "network.name": "cell"}, "", "not scheduled"),
    (
        {"downlink.memory": "innovation", "downlink.quantizer": "tanh"},
        "",
        "pulled back",
    ),
    ("server.learning_rate", -0.02, "above 0, got -0.02"),
    ("server.learning_rate", float("inf"), "got inf"),
    ("server.momentum", 1.0, r"a number in \[0, 1\)"),
    ("stop.residual", 1e-6, "config.client.batch: must be 0"),
    ({**FULL_BATCH, "sampled": 3}, "", "sampled: must be 0 .* of all clients"),
    ({**FULL_BATCH, "network.name": "cell"}, "", "network.name: must be ideal"),
    ({**BUCKETS, "compressor.quantizer": "eden"}, "", "no code for each coordinate"),
    (
        {**BUCKETS, "compressor.quantizer": "adaptive", "network.name": "cell"},
        "",
        "bucket: must be 0 for an adaptive",
    ),
    ("data.alpha", 1e10, r"in \(0, 1e9\], got 10000000000.0"),
    ("accounting.float_bits", 16, "32 or 64, got 16"),
    ("log.every", 0, "got 0"),
    ("compressor.lazy_history", 10**8, r"in 1..10000, got 100000000"),
    ("network.blocks", 2**31 - 1, r"in 1..10000, got 2147483647"),
    ("log.checkpoint_every", 70, "a multiple of config.log.every=50"),
]


@pytest.mark.parametrize("option, value, match", BAD)
def test_bad_values_are_refused_in_one_line(option, value, match):
    config = _config()
    config.update_from_flattened_dict(
        option if isinstance(option, dict) else {option: value}
    )
    with pytest.raises(ConfigError, match=match) as error:
        validation.validate(config)
    assert "\n" not in str(error.value) and str(error.value).startswith("config.")


@pytest.mark.parametrize("option", ["compressor.bit", "seeds"])
def test_unknown_options_in_a_config_file_are_refused(option):
    config = _config()
    with config.unlocked():
        config.update_from_flattened_dict({option: 3})
        group, _, name = option.rpartition(".")
        (config[group] if group else config)[name] = 3
    with pytest.raises(ConfigError, match="no such option; did you mean"):
        validation.validate(config)


def test_wrong_types_in_a_config_file_are_refused():
    config = _config()
    with config.ignore_type():
        config.rounds = "many"
    with pytest.raises(
        ConfigError, match="config.rounds: must be an integer, got 'many'"
    ):
        validation.validate(config)


def test_more_clients_than_examples_are_refused():
    config = _config()
    config.clients = 60001
    with pytest.raises(ConfigError, match=r"training examples \(60000\), got 60001"):
        validation.require_samples(config, 60000)


@pytest.mark.parametrize(
    "options, fits",
    [
        ({"client.batch": 2**31 - 1}, False),
        ({"client.batch": 2001}, False),
        ({"client.batch": 2000}, True),
        ({"client.batch": 2**31 - 1, "client.epochs": 1}, True),
        ({"client.batch": 2**31 - 1, "client.draw": "batches"}, True),
        ({"client.batch": 0}, True),
    ],
)
def test_a_minibatch_far_larger_than_any_share_is_refused(options, fits):
    config = _config()
    config.update_from_flattened_dict(options)
    if fits:
        validation.require_batch(config, [3, 200])
        return
    match = rf"10 times the 200 examples .*, got {options['client.batch']}$"
    with pytest.raises(ConfigError, match=match):
        validation.require_batch(config, [3, 200])


NUMBERS = [k for k, v in flatten(_config()).items() if isinstance(v, float)]


@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_that_a_device_does_not_hold_is_refused(option):
    """Finite and positive for Python, infinite and 0 in f32."""
    for value in (1e39, 1e-46):
        config = _config()
        config.update_from_flattened_dict({option: value})
        with pytest.raises(ConfigError, match=f"config.{option}: must be") as error:
            validation.validate(config)
        assert "\n" not in str(error.value) and len(str(error.value)) < 250


def test_a_share_that_is_1_on_a_device_is_refused():
    config = _config()
    config.compressor.momentum = 1 - 1e-9
    with pytest.raises(ConfigError, match=r"in \[0, 1\), and be so as a 32-bit float"):
        validation.validate(config)


def test_infinity_is_a_clip():
    config = _config()
    config.compressor.clip = float("inf")
    validation.validate(config)
