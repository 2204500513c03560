"""A simulation of a caller's own: what the command gives, exact, and resumed to the bit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import flq_jax as flq
from flq_jax import data, models
from flq_jax.configs import mnist_flq_binary
from flq_jax.experiments.assembly.stacked_runs import looping, stacked
from flq_jax.federated.mirrored import both_ends
from flq_jax.simulation import intervals, resuming
from flq_jax.simulation import simulation as module
from flq_jax.simulation.leaves import nbytes
from flq_jax.simulation.progress import Progress

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.25
PARAMS = {"b": np.zeros(1), "w": np.zeros(3)}


def errors(params, inputs, targets):
    return (inputs @ params["w"] + params["b"] - targets) ** 2 / 2


loss = flq.mean_of(errors)
GIVEN = {"params": PARAMS, "loss": loss, "data": (X, Y), "clients": 4}
GIVEN["server"] = optax.sgd(0.1)
make = functools.partial(flq.Simulation, **GIVEN)


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def test_gradient_descent_on_own_arrays_is_that_in_numpy():
    """Four clients of ten, so that the mean gradient is that of all forty."""
    sim = make(test=(X[:8], Y[:8]), evaluate={"test_error": errors, "a": errors})
    rows = list(sim.run(rounds=20, every=10))
    ones = np.concatenate([np.ones((40, 1)), X], 1)
    theta = np.zeros(4)
    for _ in range(20):
        theta -= 0.1 * ones.T @ (ones @ theta - Y) / 40
    found = np.concatenate([sim.params["b"], sim.params["w"]])
    np.testing.assert_allclose(found, theta, rtol=1e-5)
    each = (ones @ theta - Y) ** 2 / 2
    assert list(rows[0])[:4] == ["round", "train_loss", "test_error", "a"]
    assert rows == sim.rows and [row["round"] for row in rows] == [10, 20]
    assert rows[-1]["train_loss"] == pytest.approx(each.mean(), rel=1e-4)
    assert rows[-1]["test_error"] == pytest.approx(each[:8].mean(), rel=1e-4)
    assert rows[-1]["uploads"] == 4 * 20 and sim.ledger.uploads == 80
    assert rows[-1]["uplink_bits"] == 4 * 20 * 4 * 32
    assert rows[-1]["downlink_bits"] == 20 * 4 * 32
    assert sim.bits["uplink"]["payload/64"] == 4 * 20 * 4 * 64
    assert all(type(rows[-1][k]) is int for k in ("round", "uploads", "uplink_bits"))
    assert not PARAMS["w"].any() and sim.heard_params["w"].shape == (3,)


@pytest.mark.more
def test_everything_at_once_is_cut_where_one_asks(tmp_path):
    """Stopped after round 4 of 6, and taken up by another process's simulation."""
    parts = {
        "uplink": flq.lazy(flq.innovation(flq.sign())),
        "downlink": flq.compressed(flq.innovation(flq.uniform(4))),
        "client": flq.local_epochs(loss, optax.sgd(0.05), batch=4, epochs=1),
        "server": optax.sgd(1.0, momentum=0.5),
        "owners": np.arange(40) % 3,
        "clients": None,
        "seed": 3,
    }
    whole = make(**parts)
    assert [row["round"] for row in whole.run(rounds=6, every=2)] == [2, 4, 6]
    first = make(**parts)
    for row in first.run(rounds=6, every=2, checkpoints=tmp_path / "mine"):
        if row["round"] == 4:
            break
    second = make(**parts)
    rest = list(second.run(rounds=6, every=2, checkpoints=tmp_path / "mine"))
    assert rest == whole.rows[2:] and second.rows == whole.rows
    assert same(second.params, whole.params) and second.bits == whole.bits
    assert list(second.run(rounds=6, every=2, checkpoints=tmp_path / "mine")) == []


def test_a_simulation_is_saved_and_restored(tmp_path):
    sim = make()
    list(sim.run(rounds=2))
    sim.save(tmp_path)
    params, rows = sim.params, list(sim.rows)
    list(sim.run(rounds=4))
    sim.restore(tmp_path)
    assert sim.rounds == 2 and sim.rows == rows and same(sim.params, params)
    assert sim.evaluate() == rows[-1]
    with pytest.raises(ValueError, match="with a checkpoint, got .*nothing"):
        make().restore(tmp_path / "nothing")
    others = [
        ({"seed": 1}, "of seed 1, got 0"),
        ({"params": {"b": 0.0, "w": np.zeros(3)}}, "params_sha256"),
        ({"uplink": flq.innovation(flq.identity())}, "is not this run's"),
        ({"owners": np.arange(40) % 4, "clients": None}, "data_sha256"),
        ({"uplink": flq.direct(flq.uniform(3))}, "of uplink uniform.*, got"),
    ]
    for other, message in others:
        with pytest.raises(ValueError, match=message):
            make(**other).run(rounds=4, checkpoints=tmp_path)


def test_an_interrupt_leaves_the_last_line(monkeypatch):
    """As Ctrl-C in a notebook: while rounds are computed, and while they are judged."""
    whole, sim = make(), make()
    list(whole.run(rounds=3))
    next(sim.run(rounds=3))
    for where, name in ((intervals, "counted"), (module.evaluation, "judged")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                list(sim.run(rounds=3))
        assert sim.rounds == 1 and sim.rows == whole.rows[:1]
    list(sim.run(rounds=3))
    assert sim.rows == whole.rows and same(sim.params, whole.params)


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_rounds_of_known_length_are_the_same(monkeypatch):
    """As an accelerator has them: two calls of two, and one of one."""
    asked, known = make(), make()
    list(asked.run(rounds=5, every=2))
    monkeypatch.setattr(intervals, "on_cpu", lambda mesh: False)
    list(known.run(rounds=5, every=2))
    assert [row["round"] for row in known.rows] == [2, 4, 5]
    assert same(known.rows, asked.rows) and same(known.params, asked.params)


def test_a_loss_that_is_not_finite_ends_the_run():
    sim = make(server=optax.sgd(1e30))
    rows = list(sim.run(rounds=9, every=3))
    assert rows[-1]["train_loss"] is None and rows[-1]["round"] < 9
    assert "diverged" in sim.stopped and list(sim.run(rounds=9)) == []


@pytest.mark.more
def test_lazy_clients_compare_in_the_step_that_sgd_tells():
    """Ten times the step is a tenth of the movement, and of the silence."""
    lazily = functools.partial(make, uplink=flq.lazy(flq.innovation(flq.uniform(8))))
    ends = [[*lazily(**step).run(rounds=12, every=12)] for step in ({}, {"step": 0.1})]
    assert ends[0] == ends[1]
    assert next(iter(lazily(step=1.0).run(12, 12)))["uploads"] > ends[0][0]["uploads"]
    with pytest.raises(ValueError, match=r"no one step for all gradients; give step="):
        lazily(server=optax.adam(0.1))
    assert lazily(server=optax.adam(0.1), step=0.1).federation.step_size == 0.1


@pytest.mark.parametrize("arguments", [{"rounds": 0}, {"rounds": 3, "every": 0.5}])
def test_a_number_of_rounds_is_checked_where_it_is_given(arguments):
    with pytest.raises(ValueError, match="run: .* must be 1 or more, got 0"):
        make().run(**arguments)


def wrong_update(key, params, shard, memory):
    return jnp.float32(0.0), params["w"], memory


def forgetful(key, params, shard, memory):
    return jnp.float32(0.0), params, ()


TEST = {"test": (X, Y)}
WRONG = [
    ({"loss": errors}, r"loss does not take .*; flq.mean_of makes one"),
    ({"loss": 3}, "gradient: loss must be callable, got loss=3"),
    ({"loss": flq.mean_of(lambda p, x, y: x)}, r"mean_of: .* \[10\], got \[10, 3\]"),
    (
        {"loss": lambda p, x, y, w, key: y},
        r"a number, float32\[\], .* got float32\[10\]",
    ),
    ({"params": {}}, "params must hold at least one array"),
    ({"params": {"w": np.arange(3)}}, r"params\['w'\] must be floats, got int64"),
    ({"params": {"w": "a"}}, r"params\['w'\] must be floats"),
    ({"params": {"w": np.full(3, np.nan)}}, r"params\['w'\] must be finite"),
    ({"params": {"w": np.zeros(2), "b": 0.0}}, "loss does not take .*dot_general"),
    ({"data": (X, Y[1:])}, "as many targets as inputs"),
    ({"uplink": flq.sign}, "federation: uplink must be .* got function sign: call it"),
    ({"uplink": 4}, "federation: uplink must be of type Compressor, got int"),
    ({"downlink": "exact()"}, "federation: downlink must be of type Downlink, got str"),
    ({"downlink": flq.lazy(flq.innovation(flq.sign()))}, "compressed: a broadcast can"),
    (
        {"server": 0.1},
        "federation: server must be of type GradientTransformation, got float",
    ),
    ({"client": loss}, "client must be of type LocalUpdate, got function"),
    ({"network": 4}, "network must be of type Network"),
    ({"network": flq.sampled(2, 9)}, "network: must be that of the 4 clients"),
    ({"aggregate": "mean"}, "aggregate must be of type Aggregate"),
    ({"client": flq.LocalUpdate(wrong_update)}, "as its update"),
    (
        {"client": flq.LocalUpdate(forgetful, lambda params: jnp.zeros(2))},
        r"as its memory float32\[2\], got \(\)",
    ),
    ({"client": flq.LocalUpdate(lambda *a: a[1])}, "client.update: it must be .* got"),
    ({"client": flq.LocalUpdate(lambda a: a)}, "client.update does not take"),
    ({"seed": -1}, "seed must be in"),
    ({"seed": 2**32}, "seed must be in"),
    ({"step": 0.0}, "step_size must be finite and above 0"),
    (TEST, "go together, got test examples alone"),
    ({"evaluate": {"error": errors}}, "go together, got functions alone"),
    (TEST | {"evaluate": {"round": errors}}, "names of their own, .* got 'round'"),
    (TEST | {"evaluate": {"error": 3}}, "got 'error': a int"),
    (TEST | {"evaluate": {"error": loss}}, r"evaluate\['error'\] does not take"),
    (
        TEST | {"evaluate": {"error": lambda *a: jnp.mean(errors(*a))}},
        r"a number for each example, \[40\], got float32\[\]",
    ),
    ({"uplink": flq.direct(flq.top_k(2, 99))}, "top_k"),
    (
        {"downlink": flq.compressed(flq.direct(flq.segmented(flq.sign(), [3, 3])))},
        "segmented",
    ),
]


@pytest.mark.parametrize("changes, message", WRONG)
def test_what_cannot_be_is_one_line_before_anything_is_compiled(
    changes, message, monkeypatch
):
    """What begins the first program, or spreads the data, is not reached."""
    monkeypatch.setattr(jax, "jit", None)
    monkeypatch.setattr(module.start, "spread", None)
    with pytest.raises((ValueError, TypeError), match=message) as told:
        make(**changes)
    assert str(told.value).count("\n") == 0


def test_a_quantizer_stands_for_the_simplest_link_of_it():
    alone = make(uplink=flq.sign(), downlink=flq.uniform(8))
    said = make(
        uplink=flq.direct(flq.sign()),
        downlink=flq.compressed(flq.direct(flq.uniform(8))),
    )
    half = make(uplink=flq.sign(), downlink=flq.direct(flq.uniform(8)))
    assert [*alone.run(3)] == [*said.run(3)] == [*half.run(3)]
    assert alone.links == said.links == half.links


def test_it_sends_what_the_command_sends():
    """Lazy signs of minibatches up, eight bits down, in groups and with a penalty."""
    config = mnist_flq_binary.get_config()
    changes = {
        "clients": 4,
        "rounds": 6,
        "log.every": 3,
        "client": "gradient(batch=5)",
        "let.xi": 300.0,
    }
    config.update_from_flattened_dict(changes)
    dataset = data.synthetic(train=42, test=10)
    stack, (run,) = stacked([config], dataset)
    advance, measure = looping(stack, [config], [-np.inf])
    params = run.federation.unravel(np.asarray(run.state.params))
    wanted, progress = [], [Progress(0, run.state)]
    for _ in range(2):
        progress = advance(progress)
        wanted += measure(progress)

    model = models.Logistic(dataset.num_classes)
    shipped = models.classification_loss(model, 0.01)
    sizes = [leaf.size for leaf in jax.tree.leaves(params)]
    sim = flq.Simulation(
        params,
        shipped,
        dataset[:2],
        clients=4,
        client=flq.gradient(shipped, batch=5),
        uplink=flq.lazy(
            flq.innovation(flq.sign()),
            history=10,
            weight=300.0,
            max_silence=100,
            error_weight=0.0,
        ),
        downlink=flq.uniform_downlink(8, sizes),
        server=optax.sgd(0.02 * 4),
        test=dataset[2:4],
        evaluate={"test_accuracy": lambda *a: models.predict(model, *a[:2]) == a[2]},
        seed=config.seed,
    )
    for mine, theirs in zip(sim.run(rounds=6, every=3), wanted, strict=True):
        loss_here, loss_there = mine.pop("train_loss"), theirs.pop("train_loss")
        assert loss_here == pytest.approx(loss_there, rel=1e-6)
        assert list(mine.items()) == list(theirs.items())
    assert 0 < wanted[-1]["uploads"] < 24
    # The server's step is taken tensor by tensor, and rounded as XLA fuses that.
    np.testing.assert_allclose(
        ravel_pytree(sim.params)[0], progress[0].state.params, atol=1e-7
    )


def test_a_checkpoint_with_both_ends_of_0_1_0_is_taken_up(tmp_path):
    """It has each client's reference twice, f32[4 clients, 4 weights]."""
    mine = functools.partial(make, uplink=flq.momentum(flq.innovation(flq.sign()), 0.5))
    sim, other = mine(), mine()
    list(sim.run(rounds=2))
    progress, store = sim._progress, resuming.store_in(tmp_path)
    state = both_ends(sim.federation.compressor, progress.state)
    assert nbytes(state) - nbytes(progress.state) == 4 * 4 * 4
    resuming.leave(store, progress._replace(state=state), sim.rows, sim._of)
    store.close()
    other.restore(tmp_path)
    assert jax.tree.structure(other._progress.state) == jax.tree.structure(
        progress.state
    )
    assert same(other._progress.state, progress.state) and other.rows == sim.rows
    assert list(other.run(rounds=3)) == list(sim.run(rounds=3))
    with pytest.raises(ValueError, match=r"not this run's: \.client_memory"):
        make(uplink=flq.innovation(flq.sign())).restore(tmp_path)
