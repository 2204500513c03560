"""The rounds between two evaluations: one program, however many follow."""

import math

import jax
import pytest

from configs import mnist_ef_sign
from experiments.assembly.device_loop import Progress, advancing, measuring
from experiments.assembly.stacked_runs import stacked
from flq_jax import data


@pytest.mark.parametrize("clients", [8, 11])
def test_nothing_is_compiled_after_the_first_chunk(clients, caplog):
    """On eight devices and on one; the last chunk is a short one."""
    config = mnist_ef_sign.get_config()
    config.clients, config.client.batch = clients, 5
    config.rounds, config.log.every = 12, 5
    stack = stacked([config], data.synthetic(train=120, test=10))
    advance, measure = advancing(stack, [-math.inf]), measuring(stack)
    progress, compiled = [Progress(0, stack.runs[0].state)], []
    with jax.log_compiles():
        for _ in range(3):
            caplog.clear()
            progress = advance(progress)
            measure(progress)
            compiled.append([text for text in caplog.messages if "Compiling" in text])
    assert progress[0].rounds == 12
    assert any("rounds" in text for text in compiled[0])
    assert compiled[1:] == [[], []]
