"""How much memory there is, told by the system or by nobody."""

import pytest

from flq_jax.experiments.process import room


@pytest.mark.parametrize(
    "size, text",
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (47_040_000, "47 MB"),
        (3.3e9, "3.3 GB"),
    ],
)
def test_sizes_have_three_digits(size, text):
    assert room.text(int(size)) == text


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(room, "CGROUP", tmp_path)
    return tmp_path


def test_it_is_what_the_system_and_the_group_leave(system):
    (system / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   4 kB\n")
    assert room.available() == 4096
    (system / "memory.max").write_text("5000\n")
    (system / "memory.current").write_text("3000\n")
    assert room.available() == 2000
    (system / "memory.max").write_text("max\n")
    assert room.available() == 4096


@pytest.mark.parametrize("content", ["", "MemAvailable: x kB", "MemFree: 1 kB"])
def test_where_nobody_tells_nothing_is_known(content, system):
    (system / "meminfo").write_text(content)
    assert room.available() is None
