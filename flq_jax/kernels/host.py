"""What the host's processor does in one instruction, as Linux tells it."""

import functools
from pathlib import Path


def has_vector_popcount() -> bool:
    """Whether it counts the bits of a vector's words."""
    return "avx512_vpopcntdq" in _features()


def has_bf16_dot() -> bool:
    """Whether it multiplies vectors of bf16 and sums in f32."""
    return "avx512_bf16" in _features()


def has_int8_dot() -> bool:
    """Whether it multiplies vectors of int8 and sums in i32."""
    return "avx512_vnni" in _features()


@functools.cache
def _features() -> frozenset[str]:
    """The flags of /proc/cpuinfo; none where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    told = [line.split(":", 1)[1] for line in lines if line.startswith("flags")]
    return frozenset(" ".join(told).split())
