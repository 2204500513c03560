"""A config file, whatever it holds."""

import pytest

from flq_jax.experiments.options import config_file
from flq_jax.experiments.process.errors import ConfigError


def test_a_file_says_what_it_is_about(tmp_path):
    path = tmp_path / "c.py"
    path.write_text('"""Why is it so?\n\nAnd so?\n"""\nx = 1\n')
    assert config_file.about(path) == "Why is it so?\n\nAnd so?"
    path.write_text("x = 1\n")
    assert config_file.about(path) == ""
    path.write_bytes(b'# coding: latin-1\n"""M\xfcde?"""\n')
    assert config_file.about(path) == "Müde?"
    path.write_bytes(b'\xef\xbb\xbf"""With a mark."""\n')
    assert config_file.about(path) == "With a mark."


@pytest.mark.parametrize(
    "name, text, match",
    [
        ("no.py", None, "no file"),
        ("a" * 5000, None, "no file"),
        ("a" * 5000 + "/c.py", None, "no file"),
        ("c.txt", "", "must be a Python file"),
        ("c.py", "1 / 0", "ZeroDivisionError"),
        ("c.py", "import sys\nsys.exit(0)", "c.py: SystemExit: 0"),
        ("c.py", "def get_config():\n    raise SystemExit", "c.py: SystemExit: "),
        ("c.py", "", "get_config"),
        (
            "c.py",
            (
                "from flq_jax.configs import default\n\n\ndef get_config():\n"
                "    config = default.get_config()\n    config.compressor.bits = 3\n"
            ),
            "'compressor'.*; --config_help lists the options$",
        ),
        ("c.py", "def get_config():\n    return 3", "must return a ConfigDict"),
        (
            "c.py",
            (
                "import ml_collections\n\n\ndef get_config():\n"
                "    return ml_collections.FrozenConfigDict({})"
            ),
            "must return a ConfigDict, not frozen",
        ),
    ],
)
def test_a_file_that_is_no_config_is_told_in_one_line(name, text, match, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=match) as error:
        config_file.load(str(tmp_path / name))
    assert "\n" not in str(error.value)
