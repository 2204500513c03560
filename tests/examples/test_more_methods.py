"""Every expression of the table is one, and a row of it learns."""

import pathlib
import runpy
import types

import jax
import numpy as np
import pytest

import flq_jax as flq

ROOT = pathlib.Path(__file__).parents[2]
TABLE = runpy.run_path(str(ROOT / "examples" / "more_methods.py"))
PAGE = (ROOT / "docs" / "more_methods.md").read_text()


@pytest.mark.parametrize("name", TABLE["METHODS"])
def test_an_expression_is_a_link_and_stands_on_the_page(name):
    uplink, does, *more = TABLE["METHODS"][name]
    assert isinstance(TABLE["made"](uplink), flq.Compressor)
    if does != "FedPM":
        TABLE["work"](does)
    if len(more) > 1:
        assert isinstance(TABLE["made"](more[1]), flq.Downlink)
    assert f"| {name} | `{uplink}`" in PAGE


@pytest.mark.more
def test_a_row_learns_and_is_counted():
    """Images that are bright above or below, by class: told after three rounds."""
    labels = np.arange(40, dtype=np.uint8) % 2
    images = (np.arange(784) < 392) == labels[:, None]
    data = types.SimpleNamespace(
        train_inputs=images.astype(np.float32),
        train_labels=labels,
        test_inputs=images.astype(np.float32),
        test_labels=labels,
    )
    with jax.numpy_rank_promotion("allow"):  # as a user has it
        sim = TABLE["simulation"](data, *TABLE["METHODS"]["FedPAQ, coded"])
        *_, last = sim.run(rounds=3, every=3)
    assert last["accuracy"] == 1.0
    assert 0 < last["uplink_bits"] < 3 * 10 * (3 * 7850 + 32)
