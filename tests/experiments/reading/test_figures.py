"""Figures take any name for what it is."""

import pytest

from flq_jax.experiments.reading import figures

ROW = {"round": 1, "train_loss": 0.5, "test_accuracy": 0.5, "uplink_bits": 8}
CELL = {"x_m": [1.0], "y_m": [2.0], "scheduled": [3], "heard": [2]}


@pytest.mark.parametrize("name", [r"$\frac$", "a_b^c{", "[bold]", "%"])
def test_a_name_is_no_mathematics(name, tmp_path):
    figures.curves([ROW], tmp_path, name)
    figures.cell_map(CELL, tmp_path / "cell.png", name)
    assert {path.name for path in tmp_path.iterdir()} == {
        "rounds.png",
        "bits.png",
        "cell.png",
    }


def test_a_loss_that_is_left_out_has_no_panel(tmp_path):
    """A panel of 540 pixels: 4.5 inches of 120."""
    without = {key: value for key, value in ROW.items() if key != "train_loss"}
    for row, panels in ((ROW, 2), (without, 1)):
        figures.curves([row], tmp_path, "run")
        header = (tmp_path / "rounds.png").read_bytes()[16:20]
        assert int.from_bytes(header, "big") == 540 * panels
