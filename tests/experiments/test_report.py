"""What commands that read say where they can't write."""

import errno
import os

import pytest

from flq_jax.experiments import report, table1
from flq_jax.experiments.options import command_line
from flq_jax.experiments.reading import results


@pytest.mark.parametrize("command", [report, table1])
def test_a_full_disk_is_one_line(command, monkeypatch, capsys, tmp_path):
    def full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    monkeypatch.setattr(command_line, "workdir", lambda: tmp_path)
    monkeypatch.setattr(results, "read", full)
    with pytest.raises(SystemExit) as ended:
        command.main([])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.count("\n") == 1
    assert "No space left on device" in said and str(tmp_path) in said
