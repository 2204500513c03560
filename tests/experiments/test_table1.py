"""The paper's table, set beside runs."""

import pytest

from flq_jax.configs.paper import table1 as config
from flq_jax.experiments import table1
from flq_jax.experiments.options import validation
from flq_jax.experiments.reading.results import Result


def test_every_line_has_a_run_that_is_long_enough():
    sweep = config.sweep()
    for printed in table1.PRINTED:
        for model in table1.MODELS:
            run = sweep[f"{printed.config}-{model}-seed0"]
            validation.validate(run)
            assert run.rounds >= printed.rounds
            assert printed.rounds % run.log.every == 0


def test_bits_are_counted_as_the_paper_does_at_the_round_that_it_prints():
    # 30 uploads in all and 20 by round 1000, of 2 bits each; 8 bits down for each.
    bits = {
        "uplink": {"laq/32": 60},
        "downlink": {"laq/unicast_uploaders/64": 240},
    }
    row = {
        "round": 1000,
        "test_accuracy": 0.5,
        "uploads": 20,
        "uplink_bits": 55,
        "downlink_bits": 77,
    }
    run = Result("flq_low-mlp-seed3", {}, [row], {"bits": bits, "uploads": 30})
    unfinished = run._replace(summary={})
    other = run._replace(name="flq_low-softmax-seed3")
    found = table1.of([run, unfinished, other], "flq_low-mlp-seed", 1000)
    assert found == [table1.Found(50.0, 40.0, 55, 160.0, 77)]
    assert table1.of([run], "flq_low-mlp-seed", 2000) == []


@pytest.mark.parametrize("summary", [{"uploads": 0}, {"bits": {"uplink": {}}}])
def test_a_summary_without_the_bits_leaves_out_its_run(summary, capsys):
    row = {"round": 1000, "test_accuracy": 0.5, "uploads": 20}
    whole = {"bits": {"uplink": {"laq/32": 60}}, "uploads": 30}
    run = Result("flq_low-mlp-seed3", {}, [row], whole | summary)
    assert table1.of([run], "flq_low-mlp-seed", 1000) == []
    assert "flq_low-mlp-seed3 is left out: summary.json: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "accuracy, uplink, said",
    [
        (90.66, 7.544e7, "better"),
        (90.65, 7.5e7, "reproduced"),
        (90.70, 7.6e7, "reproduced"),
        (90.36, 7.54e7, "reproduced"),
        (90.70, 7.8e7, "the accuracy, not the bits"),
        (90.30, 7.5e7, "the bits, not the accuracy"),
        (90.30, 7.8e7, "not reachable"),
    ],
)
def test_a_verdict_weighs_accuracy_and_bits(accuracy, uplink, said):
    printed = table1.Printed("FLQ", "flq_binary", 1000, 6.03e8, 7.54e7, 90.66, "")
    assert table1.verdict(printed, accuracy, uplink) == said
