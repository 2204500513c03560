"""The README's picture has a line for each run."""

import importlib.util
import pathlib

from flq_jax.experiments.reading.grouping import Group
from flq_jax.experiments.reading.results import Result

DOCS = pathlib.Path(__file__).parents[2] / "docs"
SPEC = importlib.util.spec_from_file_location("bits", DOCS / "accuracy_by_bits.py")
accuracy_by_bits = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(accuracy_by_bits)


def test_a_method_has_a_line_a_seed_and_one_name():
    rows = [{"uplink_bits": 10, "test_accuracy": 0.5}]
    rows += [{"uplink_bits": 20, "test_accuracy": 0.9}]
    runs = [Result(f"sgd-seed{seed}", {}, rows, {}) for seed in range(2)]
    (axes,) = accuracy_by_bits.drawn([Group("sgd-seed", {}, runs)]).axes
    for line in axes.lines:
        assert [*line.get_xdata()] == [10, 20] and [*line.get_ydata()] == [50, 90]
    (name,) = axes.get_legend().get_texts()
    assert len(axes.lines) == 2 and name.get_text() == "sgd"
