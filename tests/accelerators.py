"""Devices that are not there, and what a program would be on them."""

from types import SimpleNamespace

import jax
import numpy as np


class Device:
    """A GPU that tells its memory, or nothing."""

    platform = "gpu"

    def __init__(self, **stats):
        self._stats = stats

    def memory_stats(self):
        return self._stats or None


def mesh_of(device):
    """What the library looks at of a mesh of one device."""
    return SimpleNamespace(devices=np.array([device]), size=1)


def lowered(function, *args, platform="cuda"):
    """The program of a jitted function, as StableHLO: nothing is compiled."""
    traced = jax.jit(function).trace(*args)
    return traced.lower(lowering_platforms=(platform,)).as_text()
