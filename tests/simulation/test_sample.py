"""Which examples a sampled train loss is of, and what becomes of a run without one."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiled import rounded_products

import flq_jax as flq
from flq_jax.data.partition import dirichlet, iid
from flq_jax.simulation.progress import Progress, judged_by
from flq_jax.simulation.sample import sampled, sampled_rows, sampled_size

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3)).astype(np.float32)
Y = X @ np.float32([1.0, -2.0, 0.5])


def errors(params, inputs, targets):
    return (inputs @ params - targets) ** 2 / 2


LOSS = flq.mean_of(errors)


def make(loss=LOSS, params=(0.0, 0.0, 0.0), rate=0.1, **options):
    parts = {"data": (X, Y), "clients": 4, "server": optax.sgd(rate)} | options
    return flq.Simulation(np.float32(params), loss, **parts)


@pytest.mark.parametrize(
    "count, share, size",
    [(100, 0.07, 7), (30, 0.1, 3), (30, 0.11, 4), (7, 1e-9, 1), (7, 0, 0), (7, 1.0, 7)],
)
def test_a_share_is_rounded_up_as_it_is_written(count, share, size):
    """In floats 0.07 times 100 is above 7."""
    assert sampled_size(count, share) == size


def test_a_sample_is_the_seeds_whoever_holds_the_rows():
    labels = np.arange(60, dtype=np.int32) % 3
    whole = dirichlet(labels, 4, 0, alpha=0.5)
    rows = sampled_rows(whole, 0.25, 5)
    assert len(rows) == len(set(rows.tolist())) == 15 and np.all(np.diff(rows) > 0)
    np.testing.assert_array_equal(rows, sampled_rows(iid(labels, 7, 3), 0.25, 5))
    assert set(rows) != set(sampled_rows(whole, 0.25, 6))
    # Of rows that some clients hold, none else; each as often as clients hold it.
    few = [np.array([3, 7]), np.array([7])]
    assert sampled_rows(few, 1.0, 0).tolist() == [3, 7, 7]
    assert sampled_rows(few, 0.0, 0).size == 0


def test_every_row_is_as_likely():
    """200 seeds of 5 of 20 rows: each 50 times in expectation, variance 200/4 * 3/4."""
    parts = [np.arange(12), np.arange(12, 20)]
    counts = np.zeros(20)
    for seed in range(200):
        counts[sampled_rows(parts, 0.25, seed)] += 1
    assert np.all(np.abs(counts - 50) <= 5 * (50 * 0.75) ** 0.5)


def test_a_sample_is_one_clients_examples_and_all_are_none():
    inputs = np.arange(12, dtype=np.uint8).reshape(6, 2)
    parts = [np.array([0, 4]), np.array([5])]
    found = sampled(inputs, np.arange(6.0), parts, 0.5, 0)
    assert found.sizes.tolist() == [2] and found.inputs.dtype == np.uint8
    (rows,) = found.labels.astype(int)
    assert set(rows) < {0, 4, 5} and (found.inputs[0] == inputs[rows]).all()
    assert sampled(inputs, np.arange(6.0), parts, 1, 0) is None
    none = sampled(inputs, np.arange(6.0), parts, 0, 0)
    assert none.inputs.shape == (1, 0, 2) and none.sizes.tolist() == [0]


def test_the_loss_of_a_line_is_that_of_the_sample():
    sims = [make(train_loss=share, seed=3) for share in (1.0, 0.3, 0.0)]
    whole, some, none = ([*sim.run(rounds=4, every=2)] for sim in sims)
    parts = np.array_split(np.arange(40), 4)
    rows = sampled_rows(parts, 0.3, 3)
    found = errors(np.asarray(sims[1].params), X[rows], Y[rows])
    assert len(rows) == 12
    assert some[-1]["train_loss"] == pytest.approx(found.mean(), rel=1e-5)
    for mine, other, least in zip(whole, some, none, strict=True):
        assert mine.pop("train_loss") != other.pop("train_loss")
        assert mine == other == least  # and `least` had no loss to begin with
    assert len({np.asarray(sim.params).tobytes() for sim in sims}) == 1


def test_a_loss_that_is_left_out_is_not_even_traced():
    traced = []

    def loss(params, inputs, targets, weights, key):
        traced.append(1)
        return LOSS(params, inputs, targets, weights, key)

    for share, needs in ((0.0, False), (0.5, True)):
        sim = make(loss, train_loss=share)
        state = sim._progress.state
        traced.clear()
        sim._evaluate.lower(sim._root, state, 0, sim._looked_at)
        assert bool(traced) == needs


def test_the_train_loss_is_a_mean_in_full_f32():
    loss = flq.mean_of(
        lambda params, *data: jnp.sum(params[None] * data[0], 1) - data[1]
    )
    sim = make(loss)
    lowered = sim._evaluate.lower(sim._root, sim._progress.state, 0, sim._looked_at)
    assert not rounded_products(lowered)


def test_a_run_without_a_loss_is_told_that_its_model_diverged():
    sim = make(rate=1e30, train_loss=0)
    rows = list(sim.run(rounds=9, every=3))
    assert "train_loss" not in rows[-1] and sim.rounds < 9
    assert sim.stopped.startswith("diverged") and list(sim.run(rounds=9)) == []


def test_so_it_is_where_the_model_stays_for_nobody_has_a_finite_update():
    """Of 1e25 the square overflows f32, and the model is never moved."""
    sim = make(params=(1e25, 0.0, 0.0), train_loss=0)
    (row,) = sim.run(rounds=9, every=3)
    assert sim.rounds == 3 and row["diverged_clients"] == 12
    assert sim.stopped == "diverged: no client's update is finite"
    assert np.isfinite(np.asarray(sim.params)).all()


@pytest.mark.parametrize(
    "row, theta, nobody_finite, why",
    [
        ({"train_loss": None}, 0.0, False, "the loss"),
        ({"train_loss": 0.5}, np.nan, True, ""),
        ({}, np.inf, False, "the model"),
        ({}, 0.0, True, "no client's update"),
        ({}, 0.0, False, ""),
    ],
)
def test_a_loss_that_is_there_says_alone_whether_a_run_diverged(
    row, theta, nobody_finite, why
):
    state = State(np.full(2, theta, np.float32))
    progress = Progress(3, state, nobody_finite=nobody_finite)
    stopped = judged_by(progress, row).stopped
    assert stopped.startswith(f"diverged: {why} ") if why else stopped == ""


class State:
    def __init__(self, params):
        self.params = params


@pytest.mark.parametrize("share", [-0.1, 1.5, True, "0.5", float("nan")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match="Simulation: train_loss must be from 0 to 1"):
        make(train_loss=share)


def test_a_folder_of_another_share_is_refused(tmp_path):
    list(make().run(rounds=1, checkpoints=tmp_path))
    with pytest.raises(ValueError, match=r"of train_loss 0.5, got 1.0"):
        make(train_loss=0.5).run(rounds=2, checkpoints=tmp_path)
