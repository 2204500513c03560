"""A task of somebody's own says what every table and figure needs."""

import sys
import types

import pytest

from flq_jax import data
from flq_jax.configs import default
from flq_jax.experiments.assembly.check import require_fit
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.tasks import classification


@pytest.mark.parametrize("metrics, got", [({"recall": None}, "recall"), ({}, "none")])
def test_a_task_without_accuracy_is_told_before_any_work(metrics, got, monkeypatch):
    mine = types.ModuleType("mine")
    mine.task = lambda model: classification(model)._replace(metrics=metrics)
    monkeypatch.setitem(sys.modules, "mine", mine)
    config = default.get_config()
    config.task, config.client = "mine.task()", "gradient(batch=1)"
    with pytest.raises(ConfigError, match=rf"have test_accuracy, .*, got {got}\b"):
        require_fit(config, data.synthetic(train=10, test=2), [1] * 10)
