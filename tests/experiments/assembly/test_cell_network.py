"""Runs in a cell: who is far compresses, all is counted, and every byte arrives."""

import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flq_jax import federated, keys
from flq_jax.configs import default, wireless_fedl, wireless_joint
from flq_jax.data import load
from flq_jax.experiments import audit
from flq_jax.experiments.assembly import cell_network
from flq_jax.experiments.assembly.build import build
from flq_jax.experiments.engine import host_loop
from flq_jax.experiments.options import rules, validation
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.wireless import presets

ROOT = pathlib.Path(__file__).parents[3]
CLIENTS = 12
# A block for everyone, no errors, no bound on energy: the deadline alone decides.
ROOMY = {
    "blocks": CLIENTS,
    "deadline_s": 0.04,
    "budget_j": 1.0,
    "waterfall": 0.0,
    "assignment": "random",
    "exponent": 3.0,
    "gain_db": 37.0,
}


@pytest.fixture(scope="module")
def dataset():
    return load("synthetic", "")


def small(**network):
    config = wireless_joint.get_config()
    config.clients = CLIENTS
    config.rounds = 20
    config.log.every = config.log.checkpoint_every = 10
    config.network.update(network)
    validation.validate(config)
    return config


def one_bit(**network):
    """Clients who send signs, and else do what needs no luck and little arithmetic."""
    config = small(**ROOMY | {"effort": "full"} | network)
    config.compressor.quantizer, config.downlink.quantizer = "sign", "identity"
    config.client.batch = 0
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
    config, bits = small(**ROOMY), []
    run = build(config, dataset)

    def told(messages, layout):
        bits.append(np.asarray(messages.num_bits))
        return through_bytes(messages, layout)

    through_bytes = audit.through_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "through_bytes", told)
        return config, run, audit.audit(run, 40), np.stack(bits)


def test_weak_clients_compress_and_strong_ones_do_not(audited):
    """The width that is sent follows the distance, and the length the width."""
    config, run, _, uplink_bits = audited
    lengths = [part.num_bits for part in run.links.uplink.options]
    assert set(np.unique(uplink_bits)) == {0, *lengths}
    distance = np.linalg.norm(
        cell_network.where(config.network, run.root, CLIENTS), axis=1
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


def test_a_bits_budget_hears_everyone_and_then_those_with_most_news(dataset):
    """One-bit messages, of which two fit: those who were not heard yet come first."""
    config = one_bit(scheduler="bits_budget", budget_bits=2 * 7882)
    metrics, state = played(config, dataset, rounds=CLIENTS // 2)
    assert np.all(metrics.listeners == 2)
    np.testing.assert_array_equal(state.heard[-1], 1)
    assert np.all(np.isfinite(state.news[-1])) and np.all(state.news[-1] > 0)


def test_worth_that_grows_with_age_hears_everyone_in_turn(dataset):
    """Two blocks, no errors: the two who waited longest are worth the most together."""
    config = one_bit(blocks=2, assignment="hungarian", worth="age", thrift=0.0)
    _, state = played(config, dataset, rounds=CLIENTS)
    for turns in (1, 2):
        np.testing.assert_array_equal(state.heard[turns * CLIENTS // 2 - 1], turns)


def test_the_lazy_rule_and_the_scheduler_compose(dataset):
    """Silent though scheduled: no bits, and the energy of computing alone."""
    config = small()
    config.compressor.quantizer, config.compressor.lazy = "sign", True
    config.compressor.lazy_weight = 1e6
    metrics, state = played(config, dataset, rounds=20)
    asked, spoke = metrics.listeners, (metrics.uplink_bits > 0).sum(axis=1)
    assert asked[1:].min() > 0 and np.any(spoke < asked)
    quiet = (spoke == 0) & (asked > 0)
    assert np.all(metrics.joules[quiet] > 0.0)
    assert metrics.joules[quiet].max() < metrics.joules[0]
    assert np.sum(asked) == np.sum(state.scheduled[-1])
    assert np.sum(spoke) - np.sum(metrics.lost) == np.sum(state.heard[-1])


def test_a_cell_is_the_same_under_every_policy():
    config = small()
    root = keys.seed_key(config.seed)
    one = cell_network.place(config.network, root, CLIENTS)
    config.network.scheduler = "random"
    two = cell_network.place(config.network, root, CLIENTS)
    jax.tree.map(np.testing.assert_array_equal, one, two)
    config.network.inner_m, config.network.exponent = 1.0, 2.0
    distance = np.linalg.norm(cell_network.where(config.network, root, CLIENTS), axis=1)
    np.testing.assert_allclose(one.path_gain, distance**-2.0, rtol=1e-5)


def test_a_run_logs_seconds_and_joules(dataset, tmp_path):
    config = small(battery_j=3e-4)
    config.compressor.quantizer = "sign"
    summary = host_loop.train(config, dataset, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [row["round"] for row in rows] == [10, 20]
    for key in ("seconds", "joules"):
        assert 0.0 < rows[0][key] < rows[1][key] == summary[key]
        assert (tmp_path / "figures" / f"{key}.png").stat().st_size > 0
    cell = summary["cell"]
    np.testing.assert_allclose(sum(cell["joules"]), summary["joules"], rtol=1e-5)
    assert sum(cell["heard"]) == summary["uploads"] - summary["lost"]
    assert summary["seconds"] <= 20 * config.network.deadline_s
    assert max(cell["joules"]) <= 3e-4 * (1 + 1e-5)


def test_the_default_radio_is_that_of_chen_et_al():
    network, chen = default.get_config().network, presets.CHEN
    for option in (
        *("radius_m", "exponent", "power_w", "block_hz", "downlink_hz", "budget_j"),
        *("downlink_power_w", "downlink_interference_w", "capacitance", "deadline_s"),
    ):
        name = "power_max_w" if option == "power_w" else option
        assert network[option] == pytest.approx(chen[name]), option
    assert network.waterfall == pytest.approx(chen["waterfall"], rel=1e-4)
    assert network.frequency_high_hz == chen["frequency_hz"]
    assert cell_network.NOISE_DBM_PER_HZ == chen["noise_dbm_per_hz"]
    low, high = chen["interference_w"]
    assert (network.interference_low_w, network.interference_high_w) == (low, high)


def test_fedls_radio_is_that_of_tran_et_al():
    network, fedl = wireless_fedl.get_config().network, presets.FEDL
    assert (network.inner_m, network.radius_m) == fedl["distance_m"]
    assert 10 ** (network.gain_db / 10) == pytest.approx(fedl["reference_gain"])
    assert network.interference_low_w == network.interference_high_w == fedl["noise_w"]
    assert network.downlink_interference_w == fedl["noise_w"]
    assert network.waterfall == 0.0
    assert network.power_w == fedl["power_max_w"]
    assert network.frequency_low_hz == fedl["frequency_min_hz"]
    assert network.frequency_high_hz == fedl["frequency_max_hz"][1]
    for option in ("exponent", "capacitance"):
        assert network[option] == fedl[option]


def test_fedls_clients_can_be_heard():
    """Each on some block, by one bit a weight, in more than a third of the rounds."""
    network = wireless_fedl.get_config().network
    place = cell_network.place(network, keys.seed_key(0), CLIENTS)
    cell = jax.tree.map(np.asarray, place._asdict())
    gain = np.random.default_rng(0).exponential(size=(1000, 7, CLIENTS))
    gain *= cell["path_gain"]
    noise_w = cell["noise_w"] + cell["interference_w"][0]
    snr_per_w, snr = gain[:, 1:] / noise_w, gain[:, :1] / cell["downlink_noise_w"]
    start_s = (8 * 7850 + 32) / (cell["downlink_hz"] * np.log2(1 + snr))
    rest_s = np.maximum(cell["deadline_s"] - start_s, 1e-6)
    with np.errstate(over="ignore"):
        needed = np.expm1((7850 + 32) * np.log(2) / (cell["block_hz"] * rest_s))
    least_snr = cell["waterfall"] / -np.log1p(-network.most_loss)
    power_w = np.maximum(needed, least_snr) / snr_per_w
    heard = (power_w <= network.power_w) & (power_w * rest_s <= network.budget_j)
    assert np.all(heard.any(axis=1).mean(axis=0) > 1 / 3)


@pytest.mark.parametrize("scheduler", rules.SCHEDULERS)
def test_every_scheduler_is_there(scheduler):
    config = small(scheduler=scheduler)
    assert callable(cell_network.scheduler(config.network))


@pytest.mark.parametrize(
    "option, value, match",
    [
        ("network.scheduler", "hamming", "must be one of everyone"),
        ("network.widths", (2, 1), r"ascending, got \(2, 1\)"),
        ("network.widths", (4,), "two or more"),
        ("network.most_loss", 0.0, r"in \(0, 1\]"),
        ("network.gain_db", float("inf"), "a finite number"),
        ("network.radius_m", 0.5, "above config.network.inner_m=1.0"),
        ("network.frequency_high_hz", 1.0, "at least config.network.frequency_low_hz"),
        ("network.name", "ideal", "cell with an adaptive quantizer"),
        ("sampled", 3, "0 in a cell"),
    ],
)
def test_bad_networks_are_refused(option, value, match):
    config = wireless_joint.get_config()
    config.update_from_flattened_dict({option: value})
    with pytest.raises(ConfigError, match=match):
        validation.validate(config)


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "configs").glob("wireless_*.py"))
)
def test_policies_are_valid_and_state_their_command(name):
    validation.validate(importlib.import_module(f"flq_jax.configs.{name}").get_config())
    text = (ROOT / "configs" / f"{name}.py").read_text()
    assert f"python -m experiments.main --config=configs/{name}.py" in text
