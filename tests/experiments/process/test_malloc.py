import os
import subprocess
import sys

import pytest

from flq_jax.experiments.process import malloc

SIZE = 256 * 2**20
FREED = f"""
import gc, pathlib
import numpy as np
from flq_jax.experiments.process import malloc

def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096

malloc.keep()
before = resident()
buffer = np.ones({SIZE}, np.uint8)
del buffer
gc.collect()
print(resident() - before)
"""


def after_freeing(asked: str) -> int:
    """Bytes that a process still has of a buffer that it freed."""
    done = subprocess.run(
        [sys.executable, "-c", FREED],
        env=os.environ | {malloc.ASKED: asked},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names,
    reason="needs glibc",
)
def test_freed_memory_is_kept_if_asked_for_and_only_then():
    assert after_freeing("1") > SIZE / 2 > after_freeing("0")


def test_nothing_is_done_unasked(monkeypatch):
    monkeypatch.delenv(malloc.ASKED, raising=False)
    assert not malloc.keep()
