"""The two programs whose first rounds are compared are there, and run."""

import jax
import pytest

from flq_jax.benchmarks import first_round


@pytest.mark.parametrize("program", [first_round.BY_HAND, first_round.STEP])
def test_a_program_runs_its_round(program):
    with jax.numpy_rank_promotion("allow"):  # as by hand
        exec(program, {})  # noqa: S102 that is what it is for
