"""The memory of a run, before it starts: counted by hand."""

import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly import memory as module
from flq_jax.experiments.assembly.build import build, split
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.engine import sweep
from flq_jax.experiments.process import room
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.simulation.leaves import nbytes

D = 28 * 28 * 10 + 10
OPTIONS = {
    "data": "synthetic()", "clients": 5, "uplink": "error_feedback(sign())",
    "server": "optax.sgd(step, momentum=0.9)", "rounds": 2, "log.every": 2,
    "log.checkpoint_every": 2, "client": "gradient(batch=20)",
}  # fmt: skip


def config_of(**changes):
    config = default.get_config()
    config.update_from_flattened_dict(OPTIONS | changes)
    return config


def memory_of(config, dataset):
    parts = split(config, dataset)
    state = require_fit(config, dataset, map(len, parts))
    return module.memory(config, dataset, parts, state)


def test_it_is_what_the_arrays_take():
    """2,000 + 500 images of 784 bytes with labels of 4; of each of 5 clients an error,
    f32[d]; the model, its momentum and what the downlink counts from."""
    dataset, config = data.synthetic(train=2000, test=500), config_of()
    found = memory_of(config, dataset)
    assert found.parts["examples"] == 2500 * (784 + 4)
    assert found.parts["clients' links"] == 5 * 4 * D
    assert found.parts["model"] == 3 * 4 * D
    assert found.parts["server's links"] == found.parts["clients' work"] == 0
    state = 5 * 4 * D + 3 * 4 * D
    assert state <= found.parts["copy for checkpoints"] <= state + 64
    assert found.work == 2 * 4 * D  # a gradient and the model
    run = build(config, dataset)
    held = [run.state, run.test]
    lie = nbytes(held) + run.data.inputs.nbytes + run.data.labels.nbytes
    copy = found.parts["copy for checkpoints"]
    assert sum(found.parts.values()) - copy == lie


def test_what_both_ends_of_a_link_remember_is_held_once():
    """A reference of each of 5 clients, f32[d]; rounds of silence and the last error."""
    config = config_of(uplink="lazy(innovation(sign()))", server="optax.sgd(step)")
    found = memory_of(config, data.synthetic(train=100, test=10))
    assert found.parts["server's links"] == 5 * 4 * D
    assert found.parts["clients' links"] == 5 * (4 + 4)


@pytest.mark.parametrize("network", ["everyone()", "sampled(2)", "cell(random(2))"])
def test_examples_are_counted_on_every_device_that_has_them(network, monkeypatch):
    """Clients of a cell, of whom some are asked, have theirs everywhere, too."""
    monkeypatch.setattr("flq_jax.federated.grouping.LIGHT_ROUND", 0)
    dataset = data.synthetic(train=400, test=5)
    epochs = "local_epochs(optimizer=optax.sgd(0.1), batch=20, epochs=1)"
    config = config_of(clients=4, client=epochs, network=network)
    config.uplink, config.step = "direct(sign())", "1.0"
    found, run = memory_of(config, dataset), build(config, dataset)
    assert run.mesh.size > 1
    arrays = run.data.inputs, run.data.labels
    here = [part.data.nbytes for array in arrays for part in array.addressable_shards]
    assert found.parts["examples"] == sum(here) + nbytes(run.test)


def test_a_sample_for_the_train_loss_is_held_besides():
    dataset = data.synthetic(train=2000, test=500)
    changed = memory_of(config_of(**{"log.train_loss": 0.1}), dataset)
    assert changed.parts["examples"] == 2700 * (784 + 4)


def test_a_full_batch_holds_floats_and_a_large_state_is_not_copied(monkeypatch):
    dataset = data.synthetic(train=2000, test=500)
    found = memory_of(config_of(client="gradient(batch=0)"), dataset)
    assert found.parts["examples"] == 2000 * (4 * 784 + 4) + 500 * (784 + 4)
    monkeypatch.setattr("flq_jax.simulation.checkpoints.MOST_COPIED", 1000)
    found = memory_of(config_of(), dataset)
    assert "copy for checkpoints" not in found.parts


def test_uneven_clients_take_no_more_than_even_ones():
    """1,000 clients whose labels are Dirichlet(0.1): within 1.2 times of IID."""
    labels = np.arange(20_000) % 10
    images = np.zeros((20_000, 6, 6), np.uint8)
    dataset = data.make_dataset("x", images, labels, images[:10], labels[:10])
    found = [
        memory_of(config_of(clients=1000, split=split), dataset).parts["examples"]
        for split in ("iid()", "dirichlet(alpha=0.1, min_size=0)")
    ]
    assert found[1] <= 1.2 * found[0]


def test_a_run_that_does_not_fit_says_what_takes_most(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "available", lambda: 2_000_000)
    with pytest.raises(ConfigError) as error:
        sweep.prepared({"": config_of(data="synthetic()")}, tmp_path / "run")
    text = str(error.value)
    assert "the run takes " in text and "2 MB is left: examples take " in text
    assert "\n" not in text and not (tmp_path / "run").exists()
    found = module.Memory({"examples": 10, "clients' links": 10**9}, 4)
    with pytest.raises(
        ConfigError, match="x takes 1 GB .*: clients' links take 1 GB; few"
    ):
        module.require_room("x", found, 10**8)
    module.require_room("x", found, None)
    module.require_room("x", found, 2 * 10**9)


def test_every_part_says_what_takes_less():
    found = memory_of(config_of(), data.synthetic(train=50, test=5))
    assert {*found.parts} == {*module.LESS}
    told = module.lines(found, 10**12)
    assert told[-1].split() == ["left", "1", "TB"]
    assert told[-2].split()[:2] == ["in", "all,"]
