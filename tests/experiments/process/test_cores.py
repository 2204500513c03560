"""A process that is alone has a device for each of its cores."""

import os
import subprocess
import sys

import pytest

from flq_jax.experiments.process.children import cores_here

SCRIPT = """
from flq_jax.experiments.process import cores
cores.as_devices()
import jax
print(jax.device_count())
"""


@pytest.mark.parametrize(
    "said, count",
    [
        ({}, len(cores_here())),
        ({"JAX_NUM_CPU_DEVICES": "3"}, 3),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}, 3),
    ],
    ids=["nothing", "JAX", "XLA"],
)
def test_as_many_devices_as_cores_unless_somebody_says(said, count):
    names = "JAX_NUM_CPU_DEVICES", "XLA_FLAGS"
    surroundings = {k: v for k, v in os.environ.items() if k not in names}
    found = subprocess.check_output(
        [sys.executable, "-c", SCRIPT],
        env=surroundings | {"JAX_PLATFORMS": "cpu"} | said,
        text=True,
    )
    assert int(found) == count
