"""Every row of the second table is a link and a work, and stands on the page."""

import pathlib
import runpy

import numpy as np
import pytest

import flq_jax as flq
from flq_jax.federated.bits import Bitwise
from flq_jax.federated.fedluar import Recycled

ROOT = pathlib.Path(__file__).parents[2]
TABLE = runpy.run_path(str(ROOT / "examples" / "more_methods_layers.py"))
PAGE = (ROOT / "docs" / "more_methods.md").read_text()
SHAPES = [(3, 4), (4, 2)]


@pytest.mark.parametrize("name", TABLE["METHODS"])
def test_an_expression_is_a_link_and_stands_on_the_page(name):
    uplink, does, downlink, _ = TABLE["METHODS"][name]
    names = {each: getattr(flq, each) for each in flq.__all__} | {"SIZES": (2, 3)}
    assert isinstance(eval(uplink, names), flq.Compressor)  # noqa: S307 the table's own
    assert isinstance(eval(downlink, names), flq.Downlink)  # noqa: S307
    assert f"| {name} | `{uplink}`" in PAGE


@pytest.mark.parametrize("name, kind", [("FedLUAR", Recycled), ("FedBiF", Bitwise)])
def test_a_work_broadcasts_more_than_the_model(name, kind):
    work = TABLE["work"](name, flq.mean_of(lambda params, x, y: x), SHAPES)
    model = [np.ones(shape, np.float32) for shape in SHAPES]
    assert isinstance(work.broadcast(model), kind)
