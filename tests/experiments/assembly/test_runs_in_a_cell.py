"""Runs in a cell: who is far compresses, all is counted, and every byte arrives."""

import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import federated, networks
from flq_jax.configs import wireless_joint
from flq_jax.data import synthetic
from flq_jax.experiments import audit
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.engine import host_loop
from flq_jax.experiments.options import validation
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.expressions import vocabulary

ROOT = pathlib.Path(__file__).parents[3]
CLIENTS = 12
# A block for everyone, no errors, no bound on energy: the deadline alone decides.
ROOMY = {
    "blocks": CLIENTS,
    "deadline_s": 0.04,
    "budget_j": 1.0,
    "waterfall": 0.0,
    "exponent": 3.0,
    "gain_db": 37.0,
}


@pytest.fixture(scope="module")
def dataset():
    return synthetic()


def small(scheduler="all_eligible()", cell=None, **options):
    """The joint policy with these options of `cell`, and these of the config's cell."""
    config = wireless_joint.get_config()
    config.clients = CLIENTS
    config.rounds = 20
    config.log.every = config.log.checkpoint_every = 10
    config.cell.update(cell or {})
    given = {"thrift": 0.5} | options
    told = ", ".join(f"{name}={value!r}" for name, value in given.items())
    config.network = f"cell({scheduler}, {told})"
    validation.validate(config)
    return config


def one_bit(scheduler="all_eligible()", cell=None, **options):
    """Clients who send signs, and else do what needs no luck and little arithmetic."""
    given = {"effort": "full", "assignment": "random"} | options
    config = small(scheduler, ROOMY | (cell or {}), **given)
    config.uplink, config.downlink = "innovation(sign())", "exact()"
    config.client = "gradient(batch=0)"
    return config


def played(config, dataset, rounds):
    """(metrics, radio's state) after each of the rounds, leading axis [rounds]."""
    run = build(config, dataset)

    @jax.jit
    def go(state, root, data):
        def step(state, k):
            state, metrics = federated.round_step(run.federation, root, data, state, k)
            return state, (metrics, state.network)

        return jax.lax.scan(step, state, jnp.arange(rounds))[1]

    return jax.tree.map(np.asarray, go(run.state, run.root, run.data))


@pytest.fixture(scope="module")
def audited(dataset):
    """(config, run, its audit, uplink bits i32[rounds, m]), with a block for everyone."""
    config, bits = small(cell=ROOMY, assignment="random"), []
    run = build(config, dataset)

    def told(messages, layout):
        bits.append(np.asarray(messages.num_bits))
        return through_bytes(messages, layout)

    through_bytes = audit.through_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "through_bytes", told)
        return config, run, audit.audit(run, 40), np.stack(bits)


@pytest.mark.more
def test_weak_clients_compress_and_strong_ones_do_not(audited):
    """The width that is sent follows the distance, and the length the width."""
    config, run, _, uplink_bits = audited
    lengths = [part.num_bits for part in run.links.uplink.options]
    assert set(np.unique(uplink_bits)) == {0, *lengths}
    distance = np.linalg.norm(
        networks.positions_m(
            run.root, CLIENTS, config.cell.inner_m, config.cell.radius_m
        ),
        axis=1,
    )
    near, far = np.argsort(distance)[:3], np.argsort(distance)[-3:]
    mean_bits = uplink_bits.mean(axis=0)
    assert mean_bits[near].mean() > 2 * mean_bits[far].mean()
    floats = uplink_bits == lengths[-1]
    assert floats[:, near].mean() > 0.2 > 4 * floats[:, far].mean()


def test_every_byte_of_mixed_widths_is_on_the_wire(audited):
    _, _, found, _ = audited
    lengths = found.ledger.lengths
    assert found.ledger.uploads > 80 and len(lengths) > 1
    assert found.wire_bytes == sum(n * -(-bits // 8) for bits, n in lengths)


@pytest.mark.more
def test_a_bits_budget_hears_everyone_and_then_those_with_most_news(dataset):
    """One-bit messages, of which two fit: those who were not heard yet come first."""
    config = one_bit("bits_budget(2 * 7882)")
    metrics, state = played(config, dataset, rounds=CLIENTS // 2)
    assert np.all(metrics.listeners == 2)
    np.testing.assert_array_equal(state.heard[-1], 1)
    assert np.all(np.isfinite(state.news[-1])) and np.all(state.news[-1] > 0)


@pytest.mark.more
def test_worth_that_grows_with_age_hears_everyone_in_turn(dataset):
    """Two blocks, no errors: the two who waited longest are worth the most together."""
    policy = {"assignment": "hungarian", "worth": "age", "thrift": 0.0}
    config = one_bit(cell={"blocks": 2}, **policy)
    _, state = played(config, dataset, rounds=CLIENTS)
    for turns in (1, 2):
        np.testing.assert_array_equal(state.heard[turns * CLIENTS // 2 - 1], turns)


def test_the_lazy_rule_and_the_scheduler_compose(dataset):
    """Silent though scheduled: no bits, and the energy of computing alone."""
    config = small()
    config.uplink = "lazy(innovation(sign()), weight=1e6)"
    metrics, state = played(config, dataset, rounds=20)
    asked, spoke = metrics.listeners, (metrics.uplink_bits > 0).sum(axis=1)
    assert asked[1:].min() > 0 and np.any(spoke < asked)
    quiet = (spoke == 0) & (asked > 0)
    assert np.all(metrics.joules[quiet] > 0.0)
    assert metrics.joules[quiet].max() < metrics.joules[0]
    assert np.sum(asked) == np.sum(state.scheduled[-1])
    assert np.sum(spoke) - np.sum(metrics.lost) == np.sum(state.heard[-1])


def test_a_run_logs_seconds_and_joules(dataset, tmp_path):
    config = small(battery_j=3e-4)
    config.uplink = "innovation(sign())"
    summary = host_loop.train(config, dataset, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [row["round"] for row in rows] == [10, 20]
    for key in ("seconds", "joules"):
        assert 0.0 < rows[0][key] < rows[1][key] == summary[key]
        assert (tmp_path / "figures" / f"{key}.png").stat().st_size > 0
    cell = summary["cell"]
    np.testing.assert_allclose(sum(cell["joules"]), summary["joules"], rtol=1e-5)
    assert sum(cell["heard"]) == summary["uploads"] - summary["lost"]
    assert summary["seconds"] <= 20 * config.cell.deadline_s
    assert max(cell["joules"]) <= 3e-4 * (1 + 1e-5)


def fit(config, dataset):
    require_fit(config, dataset, [len(dataset.train_labels) // CLIENTS] * CLIENTS)


@pytest.mark.parametrize("scheduler", vocabulary.SCHEDULERS)
def test_every_scheduler_is_there(scheduler, dataset):
    args = {"all_eligible": "", "bits_budget": "200_000"}.get(scheduler, "6")
    fit(small(f"{scheduler}({args})"), dataset)


@pytest.mark.parametrize(
    "network, match",
    [
        ("cell(hamming(3))", "hamming: no such name"),
        ("cell(random(3), most_loss=0.0)", r"most_loss must be in \(0, 1\]"),
        (
            "cell(random(3), assignment='x')",
            "assignment must be one of hungarian, rand",
        ),
        ("cell(random)", "cell: scheduler must .*|scheduler must "),
        ("cell(random(3), sampled=3)", "unexpected keyword argument 'sampled'"),
    ],
)
def test_a_network_that_is_none_is_one_line(network, match, dataset):
    config = small()
    config.network = network
    with pytest.raises(ConfigError, match=f"^config.network: .*({match})") as error:
        fit(config, dataset)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "uplink, match",
    [
        ("innovation(one_of((uniform(2), sign())))", r"must ascend, got \(2, 1\)"),
        ("innovation(one_of((uniform(4),)))", "needs two options or more, got 1"),
    ],
)
def test_widths_that_are_no_choice_are_one_line(uplink, match, dataset):
    config = small()
    config.uplink = uplink
    with pytest.raises(ConfigError, match=f"^config.*: .*{match}") as error:
        fit(config, dataset)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("network", ["everyone()", "sampled(3)"])
def test_widths_are_chosen_in_a_cell_alone(network, dataset):
    config = small()
    config.network = network
    with pytest.raises(
        ConfigError, match="^config.* several widths needs a network"
    ) as error:
        fit(config, dataset)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "option, value, match",
    [
        ("gain_db", float("inf"), "a finite number"),
        ("radius_m", 0.5, "above config.cell.inner_m=1.0"),
        ("frequency_high_hz", 1.0, "at least config.cell.frequency_low_hz"),
        ("blocks", 0, "an integer in 1..10000"),
    ],
)
def test_a_cell_that_is_none_is_refused(option, value, match):
    with pytest.raises(ConfigError, match=f"^config.cell.{option}: must be {match}"):
        small(cell={option: value})


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "configs").glob("wireless_*.py"))
)
def test_policies_are_valid_and_state_their_command(name):
    validation.validate(importlib.import_module(f"flq_jax.configs.{name}").get_config())
    text = (ROOT / "configs" / f"{name}.py").read_text()
    assert f"python -m experiments.main --config=configs/{name}.py" in text
