"""What `--config_help` prints."""

import pytest

from flq_jax.experiments.options import help
from flq_jax.experiments.process.errors import ConfigError


def test_a_file_without_an_option_is_told_by_the_help_too(tmp_path):
    (tmp_path / "c.py").write_text(
        "from flq_jax.configs import default\n\n\ndef get_config():\n"
        "    config = default.get_config()\n    del config.l2\n    return config\n"
    )
    with pytest.raises(ConfigError, match="config.l2: is missing"):
        help.config_help("", str(tmp_path / "c.py"))


def test_help_marks_what_a_file_changes():
    text = help.config_help("", "configs/mnist_sgd.py")
    line = next(x for x in text.splitlines() if "--config.server.learning_rate=" in x)
    assert line.startswith("* --config.server.learning_rate=0.008")
    assert "  --config.seed=0" in text
