"""The cores of this process as devices, so that each can have clients of its own."""

import os

from .children import cores_here


def as_devices() -> None:
    """Makes as many CPU devices as this process may use cores.

    To be called before JAX looks for its devices, by a process that is alone: those of
    several must have as many devices as they say. How many of them a run takes is
    `suited_mesh`'s to say; a light round stays on one. Who has said how many there are
    to be (JAX_NUM_CPU_DEVICES, or XLA's `--xla_force_host_platform_device_count`) is
    heeded. Accelerators are none of its business.
    """
    import jax

    said = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if said or jax.config.jax_num_cpu_devices > 0:
        return
    jax.config.update("jax_num_cpu_devices", len(cores_here()))
