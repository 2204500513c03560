"""DiLoCo by compressed outer gradients, in its small form."""

import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import flq_jax as flq

PATH = pathlib.Path(__file__).parents[2] / "examples" / "diloco.py"


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(PATH))


@pytest.fixture(scope="module")
def pieces():
    """Sequences that count up: what comes next is known."""
    starts = np.random.default_rng(0).integers(0, 80, 96)
    inputs = (starts[:, None] + np.arange(8)) % 80
    return np.int32(inputs), np.int32((inputs + 1) % 80)


def small(example, **changes):
    return example["SMALL"]._replace(rounds=3, **changes)


@pytest.mark.more
@pytest.mark.parametrize("name", ["4 bits", "top 2 %"])
def test_a_curve_counts_the_bits_of_each_round_s_message(name, example, pieces):
    setting = small(example)
    expression = example["LINKS"][name]
    tests = tuple(part[:8] for part in pieces)
    points = example["curve"](setting, expression, pieces, tests)
    shapes = jax.eval_shape(setting.model.init, jax.random.key(0), pieces[0][:1])
    link = example["link_of"](expression, shapes["params"])
    sent = link.layout(sum(leaf.size for leaf in jax.tree.leaves(shapes))).length
    assert [bits for bits, _ in points] == [sent, 2 * sent, 3 * sent]
    assert np.isfinite([loss for _, loss in points]).all()


def test_meeting_at_every_step_is_the_outer_optimizer_on_the_mean_gradient(example):
    """As many steps in all, one between two meetings, at which a step of SGD at 1 is the
    gradient itself."""
    setting = small(example)
    every = setting.meeting_at_every_step
    assert every.rounds * every.steps == setting.rounds * setting.steps
    gradient = {"w": jnp.array([2.0, -3.0])}
    update, _ = every.inner.update(gradient, every.inner.init(gradient), gradient)
    assert update["w"].tolist() == [-2.0, 3.0]
    assert every.outer is setting.inner


def test_replicas_learn_from_quarters_of_their_own(example, pieces):
    numbered = np.arange(96), np.arange(96)
    rows, again = example["batches_of"](small(example), numbered, 0)
    assert rows.shape == (4, 4, 4) and (rows == again).all()
    assert all({*part.ravel() % 4} == {r} for r, part in enumerate(rows))


def test_without_the_plays_it_says_where_to_have_them(example, tmp_path):
    with pytest.raises(SystemExit) as ended:
        example["main"](["--small", f"--data={tmp_path}"])
    assert "\n" not in str(ended.value) and str(tmp_path) in str(ended.value)


def test_every_link_of_the_table_is_one(example):
    params = {"w": jnp.zeros((4, 3)), "b": jnp.zeros(200)}
    for expression in example["LINKS"].values():
        assert isinstance(example["link_of"](expression, params), flq.Compressor)
