"""Which steps the card measures; each is one of SGD."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from more import more

from flq_jax.benchmarks.on_card import steps

CEILING = {"f32": 1.0, "bf16": 2.0, "int8": 4.0}


def test_every_network_in_floats_and_low_bit():
    works = [work for work, _ in steps.steps(False, CEILING)]
    for name, network in steps.networks(False).items():
        its = [work.removeprefix(name) for work in works if work.startswith(name + ",")]
        batch = f", batch of {network.batch}"
        assert its == [
            f"{batch}, floats, step",
            f"{batch}, floats, logits f32",
            f"{batch}, floats, logits bf16",
            f"{batch}, W1A2, step",
            f"{batch}, W1A2, logits unpacked",
            f"{batch}, W1A2, logits packed",
        ]


@pytest.fixture
def taken(monkeypatch):
    """What is measured, as (function, operands)."""
    found = []

    def keep(function, *operands):
        found.append((function, operands))
        return {}

    monkeypatch.setattr(steps, "of_program", keep)
    return found


def test_floor_of_a_step_is_its_gradient_s(taken):
    network = steps.networks(True)["CNN"]
    row = steps.step(network, "floats", CEILING)
    # 8 x 8 images, windows of 3 x 3, 4 channels; then 4 x 4 of them to 10 logits. The
    # first layer needs no gradient with respect to images.
    conv, dense = 64 * 9 * 4, 16 * 4 * 10
    assert row["floor_us"] == network.batch * 2 * (2 * conv + 3 * dense)
    function, (params, key) = taken[0]
    moved = jax.jit(function)(params, key)
    loss = lambda p: steps.models.classification_loss(network.make())(  # noqa: E731
        p, steps.drawn(network, "floats")[2], jnp.arange(2), jnp.full(2, 0.5)
    )
    before, after = jax.jit(lambda a, b: (loss(a), loss(b)))(params, moved)
    assert after < before


@pytest.mark.parametrize("name", ["CNN", more("ResNet")])
def test_packed_logits_are_the_unpacked_ones(taken, name):
    network = steps.networks(True)[name]
    floors = [
        steps.logits(network, "W1A2", form, CEILING)["floor_us"]
        for form in ("unpacked", "packed")
    ]
    assert floors[0] == 4 * floors[1]
    a, b = (jax.jit(function)(*operands) for function, operands in taken)
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
