"""The rounds between two evaluations: one program, however many follow."""

import math

import jax
import numpy as np
import pytest

from flq_jax import data
from flq_jax.configs import mnist_ef_sign
from flq_jax.experiments.assembly.stacked_runs import looping, stacked
from flq_jax.simulation import intervals
from flq_jax.simulation.progress import Progress


@pytest.mark.parametrize("clients", [8, 11])
def test_nothing_is_compiled_after_the_first_chunk(clients, caplog):
    """On eight devices and on one; the last chunk is a short one."""
    config = mnist_ef_sign.get_config()
    config.clients, config.client = clients, "gradient(batch=5)"
    config.rounds, config.log.every = 12, 5
    stack, (run,) = stacked([config], data.synthetic(train=120, test=10))
    advance, measure = looping(stack, [config], [-math.inf])
    progress, compiled = [Progress(0, run.state)], []
    with jax.log_compiles():
        for _ in range(3):
            caplog.clear()
            progress = advance(progress)
            measure(progress)
            compiled.append([text for text in caplog.messages if "Compiling" in text])
    assert progress[0].rounds == 12
    assert any("rounds" in text for text in compiled[0])
    assert compiled[1:] == [[], []]


def small(**options):
    config = mnist_ef_sign.get_config()
    config.clients, config.rounds, config.client = 1, 12, "gradient(batch=5)"
    config.update_from_flattened_dict(options)
    stack, (run,) = stacked([config], data.synthetic(train=40, test=10))
    return config, stack, run.state


def test_an_interval_in_pieces_is_the_interval(monkeypatch):
    """Twelve rounds in one call, and in three; and no further once a target is reached."""
    config, stack, first = small(**{"log.every": 2**31 - 1})
    began = jax.device_get(first)

    def ended(bytes_, target=-math.inf):
        monkeypatch.setattr(intervals, "MOST_BYTES", bytes_)
        state = jax.device_put(began, jax.tree.map(lambda x: x.sharding, lies))
        (progress,) = looping(stack, [config], [target])[0]([Progress(0, state)])
        return progress

    lies = jax.tree.map(lambda leaf: leaf.copy(), first)
    whole, pieces = ended(10**6), ended(5 * 40)
    assert whole.rounds == pieces.rounds == 12
    jax.tree.map(np.testing.assert_array_equal, whole, pieces)
    assert ended(5 * 40, target=math.inf).rounds == 1


def test_rounds_of_known_length_are_the_same(monkeypatch):
    """As an accelerator has them: two calls of five, and one of two."""
    config, stack, first = small(**{"log.every": 5})
    began, lies = jax.device_get(first), jax.tree.map(lambda x: x.sharding, first)

    def ended(cpu, target):
        monkeypatch.setattr(intervals, "on_cpu", lambda mesh: cpu)
        advance, _ = looping(stack, [config], [target])
        progress = [Progress(0, jax.device_put(began, lies))]
        for _ in range(3):
            progress = advance(progress)
        return progress[0]

    known, asked = ended(False, -math.inf), ended(True, -math.inf)
    assert known.rounds == 12
    jax.tree.map(np.testing.assert_array_equal, known, asked)
    assert ended(False, math.inf).rounds == 1
