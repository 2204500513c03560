"""Runs of one program end as they do one by one, and leave the same folders."""

import json

import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default, mnist_flq_binary, wireless_joint
from flq_jax.experiments.assembly import build, stacked_runs
from flq_jax.experiments.engine import host_loop
from flq_jax.experiments.folder.record import Job
from flq_jax.experiments.options import validation
from flq_jax.experiments.options.names import flatten

ONE_BIT = {"compressor.quantizer": "sign", "downlink.quantizer": "identity"}


@pytest.fixture(scope="module")
def dataset():
    return data.synthetic(train=120, test=10)


@pytest.fixture(scope="module")
def both(dataset, tmp_path_factory):
    """The folders of two seeds that ran together."""
    together = jobs(
        [small(), small(seed=1)], dataset, tmp_path_factory.mktemp("together")
    )
    host_loop.train_together(together)
    return [job.folder for job in together]


def small(module=mnist_flq_binary, **options):
    """A run of eleven clients, whom only one of the simulated devices can hold."""
    config = module.get_config()
    config.data.name, config.clients, config.rounds = "synthetic", 11, 10
    config.client.batch, config.log.every, config.log.checkpoint_every = 5, 5, 5
    config.update_from_flattened_dict(options)
    validation.validate(config)
    return config


def jobs(configs, dataset, folder):
    folders = [folder / str(i) for i in range(len(configs))]
    for path in folders:
        path.mkdir(parents=True, exist_ok=True)
    return [Job("", c, dataset, path) for c, path in zip(configs, folders, strict=True)]


def left(folder):
    """What a run left: metrics, what its last checkpoint holds, summary."""
    summary = json.loads((folder / "summary.json").read_text())
    del summary["wall_seconds"], summary["name"]
    newest = max(int(path.name) for path in (folder / "checkpoints").iterdir())
    note = json.loads((folder / f"checkpoints/{newest}/note/metadata").read_text())
    rows = (folder / "metrics.jsonl").read_bytes()
    return rows, note["note"]["progress"], note["state_sha256"], summary


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").open()]


def assert_alone(config, dataset, folder, together):
    """That a run by itself leaves what it left together with another seed's."""
    other, same = together
    host_loop.train(config, dataset, folder)
    assert left(folder) == left(same)
    assert rows(folder) != rows(other)


def test_seeds_together_are_the_seeds_alone_bit_for_bit(both, dataset, tmp_path):
    assert_alone(small(seed=1), dataset, tmp_path, both)


@pytest.mark.more
def test_so_are_seeds_with_cells_and_data_of_their_own(dataset, tmp_path):
    options = ONE_BIT | {"data.partition": "iid", "network.blocks": 2}
    configs = [small(wireless_joint, seed=seed, **options) for seed in (0, 1)]
    together = jobs(configs, dataset, tmp_path)
    host_loop.train_together(together)
    (tmp_path / "alone").mkdir()
    folders = [job.folder for job in together]
    assert_alone(configs[1], dataset, tmp_path / "alone", folders)


def test_runs_that_stand_at_different_rounds_go_on_together(both, dataset, tmp_path):
    """As after a crash between two checkpoints."""
    ragged = jobs([small(), small(seed=1)], dataset, tmp_path)
    host_loop.train_together([ragged[0]._replace(config=small(rounds=5))])
    host_loop.train_together(ragged)
    for one, other in zip(ragged, both, strict=True):
        assert left(one.folder) == left(other)


def test_numbers_together_are_the_numbers_alone(dataset, tmp_path):
    options = {"compressor.lazy_weight": 0.1, "server.learning_rate": 0.01}
    configs = [
        small(),
        small(**options),
        small(**{"server.learning_rate": 1e15, "compressor.lazy_error_weight": 1.0}),
    ]
    host_loop.train_together(
        jobs(configs, dataset, tmp_path / "together"), vmapped=True
    )
    for i in (1, 2):
        (tmp_path / f"alone{i}").mkdir()
        host_loop.train(configs[i], dataset, tmp_path / f"alone{i}")
    for one, other in zip(
        rows(tmp_path / "together/1"), rows(tmp_path / "alone1"), strict=True
    ):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
        assert one["uploads"] == other["uploads"]
    # The third diverged at its first evaluation, and the others went on.
    assert rows(tmp_path / "together/2") == rows(tmp_path / "alone2")
    assert [row["train_loss"] for row in rows(tmp_path / "alone2")] == [None]
    assert rows(tmp_path / "together/0")[-1]["round"] == 10
    assert rows(tmp_path / "together/0") != rows(tmp_path / "together/1")


def test_what_a_program_cannot_take_as_an_argument_makes_another_one(dataset):
    def key(**options):
        return stacked_runs.alike(small(**options), dataset)

    same = {"seed": 3, "compressor.lazy_weight": 0.2, "network.power_w": 0.1}
    assert key(**same) == key()
    for options in (
        {"rounds": 20},
        {"compressor.lazy_history": 3},
        {"l2": 0.1},
        {"network.mean_delay": 1.0},
        {"client.batch": 10},
        {"data.partition": "quantity_skew"},
    ):
        assert key(**options) != key()


def test_every_option_that_may_differ_exists():
    options = flatten(default.get_config())
    assert {*stacked_runs.NUMBERS, *stacked_runs.IN_ARRAYS} <= set(options)


def test_examples_that_are_the_same_lie_on_the_device_once(dataset):
    shared = stacked_runs.stacked([small(seed=0), small(seed=1)], dataset)
    assert shared.runs[0].data is shared.runs[1].data and shared.arrays.data is None
    options = {"data.partition": "iid"}
    own = stacked_runs.stacked([small(seed=s, **options) for s in (0, 1)], dataset)
    assert own.shared is None and own.arrays.data.sizes.shape == (2, 11)
    inputs = own.arrays.data.inputs
    np.testing.assert_array_equal(inputs[1], own.runs[1].data.inputs)
    assert not np.array_equal(inputs[0], inputs[1])


def test_uneven_splits_of_other_seeds_share_a_program(dataset):
    """The longest of eleven clients differs, what it is rounded up to does not."""
    uneven = [small(seed=s, **{"data.partition": "dirichlet"}) for s in range(8)]
    splits = [build.split(config, dataset) for config in uneven]
    assert len({max(map(len, parts)) for parts in splits}) > 3
    assert len({stacked_runs.alike(config, dataset) for config in uneven}) <= 3


@pytest.mark.parametrize(
    "sizes, options, length",
    [
        ((5, 5), {}, 5),
        ((4, 5), {}, 6),
        ((0, 1), {}, 1),
        ((3, 8), {}, 8),
        ((3, 9), {}, 12),
        ((3, 13), {}, 16),
        ((3, 13), {"client.batch": 0}, 13),
        ((3, 13), {"client.epochs": 1}, 13),
    ],
)
def test_lengths_are_rounded_up_where_minibatches_are_drawn(sizes, options, length):
    parts = [np.arange(size) for size in sizes]
    assert build.padded_length(small(**options), parts) == length


def test_runs_with_examples_of_their_own_are_together_as_memory_allows(
    dataset, monkeypatch
):
    """Eleven clients of 182 examples, once by themselves and once in the stack."""
    config = small(**{"data.partition": "iid"})
    parts = build.split(config, dataset)
    mine = 2 * 11 * build.padded_length(config, parts) * dataset.train_inputs[0].nbytes
    monkeypatch.setattr(stacked_runs, "MOST_BYTES", 3 * mine)
    assert stacked_runs.most_together(config, dataset) == 3
    config.client.batch = 0  # floats
    assert stacked_runs.most_together(config, dataset) == 1
    assert stacked_runs.most_together(small(), dataset) > 100
