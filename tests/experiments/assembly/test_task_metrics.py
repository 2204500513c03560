"""A task of somebody's own says what every table and figure needs."""

import sys
import types

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.tasks import classification


def right(params, inputs, labels):
    return labels == 0


@pytest.mark.parametrize(
    "metrics, told",
    [
        ({}, "must be one or more, got none"),
        ({"recall": None}, "must be functions by names .*, got 'recall'"),
        (
            {"uplink_bits": right},
            "names of their own, not one of .*, got 'uplink_bits'",
        ),
        ({"sha": lambda p, x, y: p}, r"evaluate\['sha'\]: it must be .*"),
    ],
)
def test_metrics_that_no_table_can_show_are_told_before_any_work(
    metrics, told, monkeypatch
):
    mine = types.ModuleType("mine")
    mine.task = lambda model: classification(model)._replace(metrics=metrics)
    monkeypatch.setitem(sys.modules, "mine", mine)
    config = default.get_config()
    config.task, config.client = "mine.task()", "gradient(batch=1)"
    with pytest.raises(ConfigError, match=r"config\.task: mine\.task\(\): .*" + told):
        require_fit(config, data.synthetic(train=10, test=2), [1] * 10)
