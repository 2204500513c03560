"""Whatever the locale: what is printed, and what is taken as an argument."""

import io
import sys

import pytest

from flq_jax.experiments.process import streams
from flq_jax.experiments.process.errors import ConfigError


def test_what_an_encoding_lacks_is_printed_as_a_question_mark(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    streams.print_anything()
    print("a\u2026 \u00d7", flush=True)
    assert stdout.buffer.getvalue() == b"a? ?\n"


def test_what_is_no_file_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    streams.print_anything()
    assert sys.stdout is None


def test_an_argument_that_is_no_text_is_one_line():
    streams.require_text(["--workdir=gr\u00f6\u00dfe"])
    with pytest.raises(ConfigError, match="--workdir=.udcff.: every argument must be"):
        streams.require_text(["--workdir=\udcff"])
