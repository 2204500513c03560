"""What a run's summary says of the clients, from data that are told by hand."""

import json

import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.data import partition
from flq_jax.experiments.engine import clients_figures, sweep
from flq_jax.experiments.reading import grouping, page, results
from flq_jax.experiments.reading.columns import usual
from flq_jax.experiments.reading.table import summary_table

USERS = np.array(["b", "a", "c", "a", "b", "c"])


@pytest.fixture
def file(tmp_path):
    """Two clients whose examples anybody tells apart, and one whose labels are wrong."""
    rng = np.random.default_rng(0)
    users = np.repeat(["a", "b", "c"], 20)
    labels = np.tile([0, 1], 30)
    inputs = rng.normal(2.0 * labels[:, None] - 1.0, 0.1, (60, 2)).astype(np.float32)
    wrong = np.where(users == "c", 1 - labels, labels)
    np.savez(
        tmp_path / "users.npz",
        train_inputs=inputs, train_labels=labels, train_users=users,
        test_inputs=inputs, test_labels=wrong, test_users=users,
    )  # fmt: skip
    return tmp_path / "users.npz"


@pytest.mark.parametrize(
    "split, examples, mean, worst",
    [("natural()", "test", 2 / 3, 0.0), ("iid()", "train", 1.0, 1.0)],
)
def test_clients_are_judged_on_their_own_examples(
    split, examples, mean, worst, file, tmp_path
):
    config = default.get_config()
    options = {
        "data": f"npz({str(file)!r})", "split": split, "clients": 3, "rounds": 5,
        "client": "gradient(batch=0)", "task": "classification()", "step": "1.0",
        "log.every": 5, "log.checkpoint_every": 5,
    }  # fmt: skip
    config.update_from_flattened_dict(options)
    assert not sweep.run_all(sweep.prepared({"": config}, tmp_path / "run"))
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["clients"] == {
        "metric": "accuracy", "examples": examples, "clients": 3,
        "mean": pytest.approx(mean), "worst_tenth": worst,
    }  # fmt: skip
    groups = grouping.grouped(results.read(tmp_path / "run"))
    header, line = summary_table(groups, {})
    told = dict(zip(header, line))["accuracy (%), worst tenth of clients"]
    assert told == f"{100 * worst:.2f}"
    html = page.html(page.Report("title", groups, usual(groups, {})))
    assert f"on their own {examples} examples, 3 clients: mean" in html


def dataset(users):
    rows = np.zeros((6, 2), np.float32)
    labels = np.arange(6) % 2
    return data.make_dataset(
        "x", rows, labels, rows, labels, train_users=USERS, test_users=users
    )


def test_a_client_s_tests_are_its_user_s():
    found = dataset(USERS[::-1])
    parts = partition.natural(found.train_users, 3)
    rows = clients_figures.rows_of_tests(found, parts)
    assert [part.tolist() for part in rows] == [[2, 4], [1, 5], [0, 3]]


def test_clients_of_several_users_and_users_without_tests_have_none():
    mixed = partition.contiguous(np.zeros(6), 2)
    assert clients_figures.rows_of_tests(dataset(USERS), mixed) is None
    others = dataset(np.array(["d"] * 6))
    parts = partition.natural(others.train_users, 3)
    assert clients_figures.rows_of_tests(others, parts) is None
