"""Runs of one program end as they do one by one, and leave the same folders."""

import json

import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default, mnist_flq_binary, wireless_joint
from flq_jax.experiments.assembly import build, stacked_runs
from flq_jax.experiments.engine import gathering, host_loop
from flq_jax.experiments.folder.record import Job
from flq_jax.experiments.options import validation
from flq_jax.simulation.evaluation import heard_params
from flq_jax.simulation.progress import Progress
from flq_jax.simulation.sample import sampled_rows

ONE_BIT = {"uplink": "innovation(sign())", "downlink": "exact()"}
OWN = """
import jax

from flq_jax.quantizers import Quantizer, sign


def fixed(scale: float):
    return louder(scale)


def louder(scale: float | jax.Array) -> Quantizer:
    quantizer = sign()

    def decode(key, message):
        return scale * quantizer.decode(key, message)

    return quantizer._replace(decode=decode)
"""


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


MINI = "gradient(batch=5)"
EPOCHS = "local_epochs(optimizer=optax.sgd(0.1), batch=5, epochs=1)"


def small(module=mnist_flq_binary, **options):
    """A run of eleven clients, whom only one of the simulated devices can hold."""
    config = module.get_config()
    config.data, config.clients, config.rounds = "synthetic()", 11, 10
    config.client, config.log.every, config.log.checkpoint_every = MINI, 5, 5
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
    options = ONE_BIT | {"split": "iid()", "cell.blocks": 2}
    configs = [small(wireless_joint, seed=seed, **options) for seed in (0, 1)]
    together = jobs(configs, dataset, tmp_path)
    host_loop.train_together(together)
    (tmp_path / "alone").mkdir()
    folders = [job.folder for job in together]
    assert_alone(configs[1], dataset, tmp_path / "alone", folders)


@pytest.mark.more
def test_runs_that_stand_at_different_rounds_go_on_together(both, dataset, tmp_path):
    """As after a crash between two checkpoints."""
    ragged = jobs([small(), small(seed=1)], dataset, tmp_path)
    host_loop.train_together([ragged[0]._replace(config=small(rounds=5))])
    host_loop.train_together(ragged)
    for one, other in zip(ragged, both, strict=True):
        assert left(one.folder) == left(other)


@pytest.mark.more
def test_numbers_together_are_the_numbers_alone(dataset, tmp_path):
    lazy = "lazy(innovation(sign()), weight=xi, error_weight=1.0)"
    configs = [
        small(),
        small(**{"let.xi": 0.1, "step": "0.01 * clients"}),
        small(step="1e15 * clients", uplink=lazy),
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
        return gathering.alike(small(**options), dataset)

    same = {"seed": 3, "let.xi": 0.2, "cell.power_w": 0.1, "step": "clients / 7"}
    assert key(**same) == key()
    lazy = "lazy(innovation(sign()), {}error_weight=0.0)"
    for written in (
        "",
        "weight=0.5, ",
        "weight=2 * xi, history=10, ",
        "weight=xi, max_silence=100, ",
    ):
        assert key(uplink=lazy.format(written)) == key()
    for options in (
        {"rounds": 20},
        {"clients": 10},
        {"cell.blocks": 3},
        {"uplink": lazy.format("history=3, ")},
        {"uplink": "innovation(sign())"},
        {"task": "classification(l2=0.1)"},
        {"client": "gradient(batch=10)"},
        {"split": "quantity_skew(alpha=0.1)"},
    ):
        assert key(**options) != key()
    cell = "cell(random(3)" + ", {})"
    cells = [{"network": cell.format(f"mean_delay={delay}")} for delay in (0.0, 1.0)]
    assert key(**cells[0]) != key(**cells[1])


def test_a_seed_that_a_part_asks_for_by_name_makes_another_program(dataset):
    options = {"uplink": "innovation(uniform(1 + seed))"}
    keys = [gathering.alike(small(seed=s, **options), dataset) for s in (1, 2, 1)]
    assert keys[0] != keys[1] and keys[0] == keys[2]


def test_every_option_that_may_differ_exists():
    config = default.get_config()
    assert {*gathering.IN_ARRAYS} <= set(config)
    assert {*gathering.OF_CELLS_PROGRAM} <= set(config.cell)


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_parts_of_stack.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.more
def test_an_own_constructor_s_numbers_are_arguments_if_it_says_so(
    own, dataset, tmp_path
):
    """Its annotation has a `jax.Array`; without one each number is a program."""
    uplink = "innovation(own_parts_of_stack.{}({}))"

    def alike(name, *numbers):
        texts = [uplink.format(name, number) for number in numbers]
        return {gathering.alike(small(uplink=t), dataset) for t in texts}

    assert len(alike("louder", 0.5, "scale=0.25", "1 / clients")) == 1
    assert len(alike("fixed", 0.5, 0.25)) == 2
    configs = [small(uplink=uplink.format("louder", n)) for n in (0.5, 0.25)]
    host_loop.train_together(jobs(configs, dataset, tmp_path / "together"))
    (tmp_path / "alone").mkdir()
    host_loop.train(configs[1], dataset, tmp_path / "alone")
    one, other = (rows(tmp_path / f"together/{i}") for i in (0, 1))
    assert one != other
    for mine, theirs in zip(other, rows(tmp_path / "alone"), strict=True):
        assert mine["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)


def test_examples_that_are_the_same_lie_on_the_device_once(dataset):
    shared, runs = stacked_runs.stacked([small(seed=0), small(seed=1)], dataset)
    assert runs[0].data is runs[1].data is shared.shared and shared.data is None
    options = {"split": "iid()"}
    own, runs = stacked_runs.stacked(
        [small(seed=s, **options) for s in (0, 1)], dataset
    )
    assert own.shared is None and own.data.sizes.shape == (2, 11)
    inputs = own.data.inputs
    np.testing.assert_array_equal(inputs[1], runs[1].data.inputs)
    assert not np.array_equal(inputs[0], inputs[1])


def test_uneven_splits_of_other_seeds_share_a_program(dataset):
    """The longest of eleven clients differs, what it is rounded up to does not."""
    uneven = [small(seed=s, split="dirichlet(alpha=0.1)") for s in range(8)]
    splits = [build.split(config, dataset) for config in uneven]
    assert len({max(map(len, parts)) for parts in splits}) > 3
    assert len({gathering.alike(config, dataset) for config in uneven}) <= 3


def test_clients_that_work_in_other_groups_make_another_program():
    """Two of three users, of 5, 5 and 1 examples: (5, 5) are even, (5, 1) are not."""
    users = np.repeat([0, 1, 2], [5, 5, 1])
    few = data.synthetic(train=11, test=2)._replace(train_users=users)
    natural = {"split": "natural()", "clients": 2, "client": EPOCHS}
    found = {}
    for seed in range(20):
        config = small(seed=seed, **natural)
        sizes = tuple(sorted(map(len, build.split(config, few))))
        found.setdefault(sizes, set()).add(gathering.alike(config, few))
    assert {len(keys) for keys in found.values()} == {1}
    assert found.keys() == {(1, 5), (5, 5)} and found[1, 5] != found[5, 5]


@pytest.mark.parametrize(
    "sizes, update, length",
    [
        ((5, 5), MINI, 5),
        ((4, 5), MINI, 6),
        ((0, 1), MINI, 1),
        ((3, 8), MINI, 8),
        ((3, 9), MINI, 12),
        ((3, 13), MINI, 16),
        ((3, 13), "gradient(batch=0)", 13),
        ((3, 13), EPOCHS, 13),
    ],
)
def test_lengths_are_rounded_up_where_minibatches_are_drawn(
    sizes, update, length, dataset
):
    parts = [np.arange(size) for size in sizes]
    found = build.client(small(client=update), dataset)
    assert build.padded_length(found, parts) == length


def test_runs_with_examples_of_their_own_are_together_as_memory_allows(
    dataset, monkeypatch
):
    """Eleven clients of 182 examples, once by themselves and once in the stack."""
    config = small(split="iid()")
    length = build.padded_length(
        build.client(config, dataset), build.split(config, dataset)
    )
    example = dataset.train_inputs[0].nbytes + dataset.train_labels[0].nbytes
    mine = 2 * 11 * length * example
    monkeypatch.setattr(gathering, "MOST_BYTES", 3 * mine)
    assert gathering.most_together(config, dataset) == 3
    config.client = "gradient(batch=0)"  # floats
    assert gathering.most_together(config, dataset) == 1
    assert gathering.most_together(small(), dataset) > 100
    fixed = small(split="iid(seed=3)")
    assert gathering.most_together(fixed, dataset) > 100
    # Three times that for the sample of half of the 120 examples, twice.
    fixed.log.train_loss = 0.5
    sample = 2 * 60 * example
    monkeypatch.setattr(gathering, "MOST_BYTES", 3 * sample)
    assert gathering.most_together(fixed, dataset) == 3


@pytest.mark.parametrize("clients", [11, 8])
def test_runs_of_one_program_have_samples_of_their_own(clients, dataset):
    """On one device and on eight; the loss is that of the seed's own rows."""
    options = {"clients": clients, "log.train_loss": 0.1, "rounds": 1}
    configs = [small(seed=seed, **options) for seed in (0, 1)]
    assert gathering.alike(configs[0], dataset) == gathering.alike(configs[1], dataset)
    stack, runs = stacked_runs.stacked(configs, dataset)
    _, measure = stacked_runs.looping(stack, configs, [-np.inf] * 2)
    found = measure([Progress(0, run.state) for run in runs])
    parts = build.split(configs[0], dataset)
    for seed, (run, row) in enumerate(zip(runs, found, strict=True)):
        chosen = sampled_rows(parts, 0.1, seed)
        of = dataset.train_inputs[chosen], dataset.train_labels[chosen]
        theta = heard_params(run.federation, run.root, run.state, 0)
        weights = np.full(12, 1 / 12, np.float32)
        expected = run.task.loss(theta, of[0] / np.float32(255), of[1], weights, None)
        assert row["train_loss"] == pytest.approx(float(expected), rel=1e-5)
    assert found[0]["train_loss"] != found[1]["train_loss"]
