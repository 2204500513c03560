"""Every config is valid, small, and says how it is run."""

import functools
import importlib
import pathlib

import numpy as np
import pytest

from flq_jax.data import load, make_dataset, synthetic
from flq_jax.experiments.assembly import check, composition
from flq_jax.experiments.assembly.build import split
from flq_jax.experiments.options import help, rules, validation
from flq_jax.experiments.options.names import flatten
from flq_jax.experiments.options.parts import PARTS
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.expressions import vocabulary
from flq_jax.expressions.expression import evaluate, parse

ROOT = pathlib.Path(__file__).parent.parent
FOLDER = ROOT / "configs"
MNIST = sorted(path.stem for path in FOLDER.glob("mnist_*.py"))
FILES = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix()
    for path in FOLDER.rglob("[!_]*.py")
)
PROMISED = {
    "mnist_gd", "mnist_qgd", "mnist_qgd_geometric", "mnist_lag", "mnist_laq", "mnist_sgd",
    "mnist_slaq", "mnist_ef_sign", "mnist_flq_binary", "mnist_flq_low", "mnist_fedavg",
    "mnist_drive", "mnist_eden", "mnist_quic_fl", "mnist_thc", "mnist_uveqfed",
}  # fmt: skip


def _config(name="default"):
    module = f"flq_jax.configs.{name.replace('/', '.')}"
    return importlib.import_module(module).get_config()


def _runs(name):
    """All that a file may run, name -> config."""
    module = importlib.import_module(f"flq_jax.configs.{name.replace('/', '.')}")
    sweep = getattr(module, "sweep", None)
    return sweep() if sweep else {"": module.get_config()}


@functools.cache
def _small():
    """Examples of MNIST's shape."""
    return synthetic(train=1500, test=10)


@functools.cache
def _coloured():
    """Examples of CIFAR-10's shape."""
    images, labels = np.zeros((200, 32, 32, 3), np.uint8), np.arange(200) % 10
    return make_dataset("x", images, labels, images[:10], labels[:10])


@functools.cache
def _roles():
    """A piece of 80 characters of each of 1,001 roles."""
    pieces = np.int32(np.arange(1001)[:, None] % np.full(80, 80))
    train = pieces, pieces
    return make_dataset("x", *train, *train, train_users=np.arange(1001))


# What stands for the data set of a config, which may be on no disk.
STAND_IN = {
    "mnist(folder='')": _small,
    "fashion_mnist(folder='')": _small,
    "cifar10(folder='')": _coloured,
    "shakespeare(folder='', context=80)": _roles,
}


def test_the_promised_methods_are_there():
    assert set(MNIST) >= PROMISED


def test_fixed_points_range_holds_the_gradients_that_it_is_for():
    """Softmax regression's first, which are the largest: x (1/10 - y), by client."""
    config, data = _config("mnist_fixed_point"), load("mnist")
    told = composition.canonical_texts(config)["uplink"]
    grid = evaluate(parse(told).keywords[0].value, vocabulary.known("uplink"))
    images, labels = data.train_inputs / np.float32(255), data.train_labels
    off = np.float32(0.1) - np.eye(10, dtype=np.float32)[labels]
    clients = zip(np.array_split(images, 10), np.array_split(off, 10))
    for x, y in clients:
        gradient = x.reshape(len(x), -1).T @ y / len(x)
        assert not grid.overload(gradient.ravel())


@pytest.mark.parametrize("name", FILES)
def test_every_run_of_a_config_is_valid_and_fits_together(name):
    """Runs of one composition are looked at once."""
    runs, seen = _runs(name), set()
    assert runs
    for config in runs.values():
        validation.validate(config)
        texts = composition.canonical_texts(config)
        texts |= {"clients": config.clients, "cell": repr(config.cell)}
        if (key := repr(texts)) in seen:
            continue
        seen.add(key)
        dataset = STAND_IN[texts["data"]]()
        assert len(split(config, dataset)) == config.clients
        check.require_fit(config, dataset, [60_000 // config.clients])


@pytest.mark.parametrize("name", FILES)
def test_a_config_s_expressions_are_as_they_are_written_after_another_reading(name):
    """The one text of each part means the same."""
    config = _config(name)
    texts = composition.canonical_texts(config)
    assert tuple(texts) == PARTS
    again = config.copy_and_resolve_references()
    again.update(texts)
    assert composition.canonical_texts(again) == texts


@pytest.mark.parametrize("name", MNIST)
def test_config_states_its_command(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"python -m experiments.main --config=configs/{name}.py" in text
    assert "COST" not in text


def test_every_option_has_a_rule_and_a_comment():
    documented = help.comments()
    assert set(rules.RULES) == set(flatten(_config()))
    assert set(documented) == set(rules.RULES) | {"let"}
    assert all(documented.values())


BAD = [
    ("rounds", 0, "an integer in 1.."),
    ("clients", 0, "an integer in 1.."),
    ("seed", -1, "got -1"),
    ("seed", 2**32, "an integer in 0..4294967295"),
    ("uplink", "", "must be an expression, got ''"),
    ("uplink", "uniform(4", "'\\(' was never closed"),
    ("step", "0.1 if clients else 1", "must be calls, names, numbers"),
    ("at_once", -1, "got -1"),
    ("stop.residual", -1e-6, "0 or more, got -1e-06"),
    ("stop.optimum", float("nan"), "got nan"),
    ("accounting.count", "paylod", "did you mean payload?"),
    ("accounting.float_bits", 16, "32 or 64, got 16"),
    ("log.every", 0, "got 0"),
    ("log.study", "level", "did you mean levels?"),
    ("log.train_loss", 1.5, "a number from 0 to 1, got 1.5"),
    ("log.checkpoint_every", 70, "a multiple of config.log.every=50"),
    ("cell.blocks", 2**31 - 1, r"in 1..10000, got 2147483647"),
    ("cell.power_w", 0.0, "above 0, got 0.0"),
    ("cell.power_w", float("inf"), "got inf"),
    ("cell.radius_m", 0.5, "above config.cell.inner_m=1.0, got 0.5"),
    ("cell.frequency_high_hz", 1e6, "at least config.cell.frequency_low_hz"),
    ("cell.gain_db", float("nan"), "a finite number, got nan"),
]


@pytest.mark.parametrize("option, value, match", BAD)
def test_bad_values_are_refused_in_one_line(option, value, match):
    config = _config()
    config.update_from_flattened_dict({option: value})
    with pytest.raises(ConfigError, match=match) as error:
        validation.validate(config)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"config.{option}: ")


@pytest.mark.parametrize(
    "name, value, match",
    [
        *((n, 1, "must be a new name") for n in ("clients", "step", "d", "_x", "a b")),
        *((n, 1, "must be a new name") for n in ("lambda", "optax", "flq_jax", "1a")),
        (
            "xi",
            float("inf"),
            "must be a finite number, a tuple or an expression, got inf",
        ),
        ("xi", None, "must be a finite number"),
        ("q", "uniform(", "was never closed"),
    ],
)
def test_a_name_of_let_must_be_new_and_mean_something(name, value, match):
    config = _config()
    with config.let.unlocked():
        config.let[name] = value
    with pytest.raises(ConfigError, match=match) as error:
        validation.validate(config)
    assert str(error.value).startswith(f"config.let.{name}: ")


@pytest.mark.parametrize("option", ["cell.block", "seeds"])
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


def test_a_former_option_of_a_config_file_is_told_to_be_an_expression():
    config = _config()
    with config.unlocked():
        config.l2 = 0.1
    match = "^config.l2: no such option; options are expressions now: config.task="
    with pytest.raises(ConfigError, match=match):
        validation.validate(config)


def test_a_residual_is_of_the_whole_train_loss():
    config = _config()
    config.stop.residual, config.log.train_loss = 1e-6, 0.5
    with pytest.raises(ConfigError, match="log.train_loss: must be 1 .*residual=1e-06"):
        validation.validate(config)
