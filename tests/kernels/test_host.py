from pathlib import Path

import pytest

from flq_jax.kernels import host


@pytest.fixture(autouse=True)
def forget():
    host._features.cache_clear()
    yield
    host._features.cache_clear()


@pytest.mark.parametrize(
    "flags, able", [("fpu avx512_bf16", True), ("fpu avx2", False)]
)
def test_flags_are_read_as_words(monkeypatch, flags, able):
    text = f"model name\t: avx512_vpopcntdq\nflags\t\t: {flags} avx512_vpopcntdq_not\n"
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: text)
    assert host.has_bf16_dot() == able
    assert not host.has_vector_popcount()


def test_a_host_that_does_not_tell_has_neither(monkeypatch):
    def missing(path, encoding):
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", missing)
    assert not host.has_vector_popcount() and not host.has_bf16_dot()
