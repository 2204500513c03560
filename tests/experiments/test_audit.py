"""The bytes of a run are what the ledger says, for every kind of link."""

import importlib
import importlib.util
import pathlib
import re

import pytest
from more import more

from flq_jax import data, ledger
from flq_jax.experiments import audit
from flq_jax.experiments.assembly import build

METHODS = "mnist_slaq", "mnist_flq_binary", "mnist_two_laq", "mnist_onebit_adam"
MORE = (
    "mnist_sgd",
    "mnist_ef_sign",
    "mnist_flq_low",
    "mnist_qgd_geometric",
    "mnist_clag",
)
CONFIGS = pathlib.Path(__file__).parent.parent.parent / "configs"
NAMES = {path.stem for path in CONFIGS.glob("mnist_*.py")}
SELDOM = [
    pytest.param(name, marks=pytest.mark.repro)
    for name in sorted(NAMES - {*METHODS, *MORE})
]


def audited(name, rounds=4, **options):
    config = importlib.import_module(f"flq_jax.configs.{name}").get_config()
    config.update(options)
    config.client = re.sub(r"batch=[1-9]\d*", "batch=20", config.client)
    if "float_rounds" in config.let:
        config.let.float_rounds = 2
    run = build.build(config, data.synthetic(train=500, test=10))
    return config, run, audit.audit(run, rounds)


@pytest.mark.parametrize("name", [*METHODS, *map(more, MORE), *SELDOM])
def test_bytes_on_the_wire_are_those_of_the_ledger(name):
    config, run, found = audited(name)
    sampled = re.fullmatch(r"sampled\((\d+)\)", config.network)
    asked = int(sampled[1]) if sampled else config.clients
    uploads = found.ledger.uploads
    lazy = re.search("lazy|clag", config.uplink)
    assert lazy or uploads == 4 * asked
    assert uploads > 0
    if "warm_up" not in config.uplink:
        bits = run.links.uplink.num_bits
        assert ledger.uplink_bits(found.ledger, run.links, "payload", 32) == (
            uploads * bits
        )
        assert found.wire_bytes == uploads * -(-bits // 8)


@pytest.mark.skipif(
    importlib.util.find_spec("constriction") is None,
    reason="the extra flq_jax[entropy] is not installed",
)
def test_entropy_coded_bytes_are_those_of_the_ledger_and_fewer():
    """Lazy innovations of three bits: each message has a length of its own."""
    uplink = "lazy(innovation(entropy_coded(uniform(3))))"
    _, run, found = audited("mnist_slaq", uplink=uplink)
    layout = run.links.uplink
    lengths = found.ledger.lengths
    assert found.wire_bytes == sum(-(-bits // 8) * times for bits, times in lengths)
    assert len(lengths) > 1
    assert all(32 < bits < 0.8 * layout.num_bits for bits, _ in lengths)


def test_a_ledger_that_counts_otherwise_is_caught(monkeypatch):
    add = ledger.Ledger.add

    def short(self, links, uplink_bits, *rest):
        return add(self, links, uplink_bits - 8 * (uplink_bits > 0), *rest)

    monkeypatch.setattr(ledger.Ledger, "add", short)
    with pytest.raises(AssertionError, match="messages: ledger .* bytes, on the wire"):
        audited("mnist_sgd", rounds=1)
