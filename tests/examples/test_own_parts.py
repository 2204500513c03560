"""The example runs, learns and counts; and goes on where it stopped."""

import pathlib
import runpy

import jax
import pytest

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "own_parts.py"


@pytest.mark.more
def test_own_parts_learn_in_two_bits_a_number(tmp_path):
    """d = 2 x 96 numbers in six tensors: 2 d + 6 x 32 bits up, 8 d + 6 x 32 down."""
    with jax.numpy_rank_promotion("allow"):  # as a user has it
        learns(runpy.run_path(str(EXAMPLE)), tmp_path)


def learns(own, folder):
    sim = own["simulation"]()
    rows = list(sim.run(rounds=100, every=50, checkpoints=folder))
    users = sim.data.sizes.shape[0]
    assert users == len({*own["users"]()[2][:500]})
    assert rows[-1]["uploads"] == 100 * users
    assert rows[-1]["uplink_bits"] == 100 * users * (2 * 192 + 6 * 32)
    assert rows[-1]["downlink_bits"] == 100 * (8 * 192 + 6 * 32)
    assert rows[-1]["test_error"] < 0.25  # the targets' variance is about 1/2
    assert sim.federation.local_update.steps == 5
    again = own["simulation"]()
    assert list(again.run(rounds=100, checkpoints=folder)) == []
    assert again.evaluate() == rows[-1]
