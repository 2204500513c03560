import pytest
from rich.console import Console

from flq_jax.configs import default
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.experiments.reading import model_costs
from flq_jax.models import CNN, Bits, layer_costs

COSTS = layer_costs(CNN((2, 3), num_classes=7, bits=Bits(1, 2, 6)), (5, 4))


def test_totals_by_hand():
    """20 + 57 + 28 parameters, 54 of them of one bit; 360 + 216 + 21 multiply-adds."""
    params, memory, macs, operations = model_costs.totals(COSTS)
    assert params.split() == ["parameters", "105"]
    assert memory.split()[1:] == ["0.21", "KiB,", "float32's", "0.41", "/", "1.99"]
    assert "597 an image: 36.2% at W1 A2, 63.8% at W32 A32" in macs
    assert f"{216 * 2 + 381 * 1024:,}" in operations


def test_a_model_that_takes_no_such_images_is_told():
    config = default.get_config()
    config.data, config.model = "synthetic()", "SVHNNet()"
    with pytest.raises(ConfigError, match=r"config.model: SVHNNet\(\) must take"):
        model_costs.show([config])


def test_table_has_a_column_for_each_width():
    console = Console(width=200)
    with console.capture() as captured:
        console.print(model_costs.table("small", COSTS))
    lines = captured.get().splitlines()
    assert "1 bit" in lines[2] and "32 bit" in lines[2]
    cells = next(line for line in lines if "conv_1" in line).split("│")
    assert [cell.strip() for cell in cells[2:6]] == ["1/2/6", "2x2x3", "54", "3"]
