"""What `--config_help` prints."""

import pytest

from flq_jax.experiments.options import help
from flq_jax.experiments.process.errors import ConfigError
from flq_jax.expressions import vocabulary


def test_a_file_without_an_option_is_told_by_the_help_too(tmp_path):
    (tmp_path / "c.py").write_text(
        "from flq_jax.configs import default\n\n\ndef get_config():\n"
        "    config = default.get_config()\n    del config.task\n    return config\n"
    )
    with pytest.raises(ConfigError, match="config.task: is missing"):
        help.config_help("", str(tmp_path / "c.py"))


def test_help_marks_what_a_file_changes():
    text = help.config_help("", "configs/mnist_flq_low.py")
    assert "\n* --config.let.bits=8\n" in text
    assert "\n* --config.uplink=lazy(innovation(uniform(bits)), weight=xi)" in text
    assert "\n  --config.seed=0 " in text


@pytest.mark.parametrize("option", vocabulary.PARTS)
def test_every_constructor_is_told_in_80_columns(option):
    lines = help.constructors_help(option).splitlines()
    assert lines[0].startswith(f"config.{option} makes a")
    assert all(len(line) <= 80 for line in lines)
    for name in vocabulary.constructors(option):
        assert any(line.startswith(f"  {name}") for line in lines)


def test_what_makes_the_whole_part_comes_first_and_what_is_supplied_is_left_out():
    text = help.constructors_help("network")
    titles = [line for line in text.splitlines() if line.endswith(":")]
    assert titles == ["Network:", "For their arguments:"]
    assert (
        text.index("  everyone()\n") < text.index(titles[1]) < text.index("  random(")
    )
    assert "  sampled(count)\n" in text
    client = help.constructors_help("client")
    assert "  gradient(*, batch=0, draw=...)\n" in client
    titles = [
        x for x in help.constructors_help("downlink").splitlines() if x[-1:] == ":"
    ]
    assert titles == ["Downlink:", "Compressor:", "Quantizer:", "For their arguments:"]


def test_of_what_is_no_expression_the_nearest_is_told():
    with pytest.raises(ConfigError, match="got uplinks; did you mean uplink?"):
        help.constructors_help("uplinks")
