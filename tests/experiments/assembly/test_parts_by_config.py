"""Every client algorithm, model and task does by config what it does by itself."""

from functools import partial

import jax
import numpy as np
import pytest
from more import only
from running import results

from flq_jax import federated, ledger
from flq_jax.configs import default
from flq_jax.experiments import audit
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.assembly.programs import Arrays
from flq_jax.experiments.assembly.setting import dataset_of
from flq_jax.experiments.engine import host_loop
from flq_jax.experiments.options import validation
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import model_costs

RNG = np.random.default_rng(0)
SIZES = [7, 5, 4]  # of the clients' shares
D = 8 * 8 * 3 * 2 + 2  # softmax regression of two classes
TOKENS = RNG.integers(0, 5, (20, 4), dtype=np.int32)
IMAGES = RNG.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
# What the examples of a file are, and what is said of each.
ARRAYS = {
    "classes": (IMAGES, np.arange(20) % 2),
    "tokens": (TOKENS[:, :-1], TOKENS[:, 1:]),
    "numbers": (IMAGES, RNG.standard_normal((20, 2)).astype(np.float32)),
    "sets": (IMAGES, RNG.integers(0, 2, (20, 2), dtype=np.uint8)),
}
SGD = "optimizer=optax.sgd(0.01), batch=2"
CLIENTS = {
    "local_steps": f"local_steps({SGD}, steps=2)",
    "fedprox": f"fedprox({SGD}, mu=0.1, epochs=1)",
    "scaffold": f"scaffold({SGD}, steps=2)",
    "feddyn": f"feddyn({SGD}, alpha=0.1, epochs=1)",
    "fednova": f"fednova({SGD}, epochs=2)",
    "binarized_epochs": f"binarized_epochs({SGD}, epochs=2)",
}
NEXT = {"task": "next_token()", "client": "gradient(batch=2)"}
MODELS = {
    "resnet8": ("classes", {"model": "resnet8()", "client": "gradient(batch=2)"}),
    "lstm": ("tokens", {"model": "CharLSTM(5, hidden=3, layers=1)", **NEXT}),
    "transformer": ("tokens", {"model": "Transformer(5, 3, 4, 2, 1)", **NEXT}),
}

PARAMETERS = {
    "resnet8": 78_042 - 8 * (64 + 1),  # two classes instead of ten
    # An embedding, gates of the input and of the state, an output.
    "lstm": 5 * 8 + (8 + 1) * 12 + 3 * 12 + (3 + 1) * 5,
    # Tokens and positions, three normalizations, attention, two dense layers, an output.
    "transformer": (5 + 3) * 4
    + 3 * 2 * 4
    + (4 + 1) * (12 + 4)
    + (4 + 1) * 16
    + (16 + 1) * 4
    + (4 + 1) * 5,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The archives of the examples: sixteen to train on, and four."""
    folder = tmp_path_factory.mktemp("data")
    for name, (inputs, labels) in ARRAYS.items():
        np.savez(
            folder / f"{name}.npz",
            train_inputs=inputs[:16],
            train_labels=labels[:16],
            test_inputs=inputs[16:],
            test_labels=labels[16:],
            train_users=np.repeat(np.arange(3), SIZES),
        )
    return folder


@pytest.fixture(scope="module")
def asked(files):
    """(examples, options) -> (a config that fits them, they as a `Dataset`)."""

    def made(examples, **options):
        config = default.get_config()
        config.data, config.split = f"npz('{files / examples}.npz')", "natural()"
        config.clients, config.rounds, config.step = 3, 2, "0.5"
        config.log.every = config.log.checkpoint_every = 2
        config.task = "classification()"
        config.update(options)
        validation.validate(config)
        return config, dataset_of(config)

    return made


@pytest.mark.parametrize("name", only({"scaffold"}, CLIENTS))
def test_an_algorithm_that_a_config_names_trains(name, asked, tmp_path):
    """A client sends its floats in each round; of SCAFFOLD's there are twice as many."""
    seldom = {"every": 100, "checkpoint_every": 100}
    config, dataset = asked("classes", client=CLIENTS[name], rounds=100, log=seldom)
    require_fit(config, dataset, SIZES)
    summary = host_loop.train(config, dataset, tmp_path)
    assert 0.0 < summary["train_loss"] < np.log(2)  # that of who knows nothing
    sent = 2 * D if name == "scaffold" else D
    assert summary["parameters"] == D
    assert summary["uplink_bits"] == 100 * 3 * 32 * sent
    assert summary["downlink_bits"] == 100 * 32 * sent


@pytest.mark.parametrize("name", only({"lstm"}, MODELS))
def test_a_model_that_a_config_names_trains(name, asked, tmp_path):
    """One client is enough, and quickly compiled."""
    examples, options = MODELS[name]
    config, dataset = asked(examples, clients=1, split="contiguous()", **options)
    require_fit(config, dataset, [16])
    summary = host_loop.train(config, dataset, tmp_path)
    assert np.isfinite(summary["train_loss"]) and 0 <= summary["test_accuracy"] <= 1
    assert summary["parameters"] == PARAMETERS[name]
    assert summary["uplink_bits"] == 2 * 32 * PARAMETERS[name]
    if examples == "tokens":
        assert 1 < summary["test_perplexity"] < 25


@pytest.mark.parametrize("name", CLIENTS)
def test_none_of_them_stops_at_a_residual(name, asked):
    """Their steps do not end where the gradient of the mean loss vanishes."""
    config, dataset = asked("classes", client=CLIENTS[name])
    require_fit(config, dataset, SIZES)
    config.stop.residual, config.stop.optimum = 1e-6, 0.1
    with pytest.raises(ConfigError, match=r"^config.stop.residual: must be 0 unless"):
        require_fit(config, dataset, SIZES)


SIGNS = {
    "client": CLIENTS["scaffold"],
    "uplink": "error_feedback(segmented(sign()))",
}


def test_signs_of_model_and_control_are_on_the_wire(asked):
    """A bit a number, and a scale for each of two kernels and two biases."""
    config, dataset = asked("classes", **SIGNS)
    run = build(config, dataset)
    found = audit.audit(run, 3)
    bits = 2 * D + 4 * 32
    assert found.ledger.uploads == 9
    assert found.wire_bytes == 9 * -(-bits // 8)
    assert ledger.uplink_bits(found.ledger, run.links, "payload", 32) == 9 * bits
    assert found.broadcast_bytes == 3 * 4 * 2 * D


@pytest.mark.more
def test_what_clients_remember_goes_on_where_a_run_does(asked, tmp_path):
    """Two rounds and two more: control variates and errors are as of four at once."""
    folders = tmp_path / "once", tmp_path / "twice"
    for folder, ends in zip(folders, ([4], [2, 4]), strict=True):
        folder.mkdir()
        for rounds in ends:
            config, dataset = asked("classes", rounds=rounds, **SIGNS)
            host_loop.train(config, dataset, folder)
    assert results(folders[0]) == results(folders[1])


@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_costs_is_told_of_its_own_examples(name, asked, capsys):
    examples, options = MODELS[name]
    config, _ = asked(examples, **options)
    model_costs.show([config])
    assert f"parameters       {PARAMETERS[name]:,}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "examples, task, metric",
    [("numbers", "regression", "test_rmse"), ("sets", "multi_label", "test_f1")],
)
def test_what_is_no_class_is_learned(examples, task, metric, asked):
    """A full gradient step on 16 examples of more parameters lowers the loss."""
    config, dataset = asked(
        examples,
        task=f"{task}()",
        model="Logistic(2)",
        client="gradient(batch=0)",
        step="0.01",
    )
    run = build(config, dataset)
    made = run.assemble(Arrays(run.root, run.data, None, run.numbers))
    assert [*made.task.metrics] == [metric]

    @jax.jit
    def losses(state):
        step = partial(federated.round_step, made.federation, run.root, run.data)
        after, _ = step(state, 0)
        return [
            made.evaluate(run.root, each, 0, run.data, *run.test)[0]
            for each in (state, after)
        ]

    before, after = losses(run.state)
    assert after < before
