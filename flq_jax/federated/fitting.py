"""How many clients fit an accelerator's memory while they work."""

from collections.abc import Sequence
from typing import Any

import jax

from flq_jax.federated.local import LocalUpdate

LEAST_BYTES = 16 * 10**9  # of a device that does not tell
SHARE = 0.5  # of its memory; the rest is the examples' and the state's
# Of a client while it works, each as long as the model: model, gradient, update, that as
# a vector, message, what it decodes to, and both ends' memories.
VECTORS = 8
# Where a kernel is applied: the pixels of a small image.
POSITIONS = 32 * 32


def clients_at_once(
    local_update: LocalUpdate,
    params: Any,
    device: jax.Device,
    sizes: Sequence[int] | None = None,
    runs: int = 1,
) -> int:
    """Clients that a device holds while they work, 1 or more.

        SHARE bytes of the device / (4 runs (VECTORS d + b a)),   rounded down,

    of a model of d parameters, batches of b examples, and a floats of an example that
    layers read and write: rows and columns of each matrix, and channels of each
    convolution at 1,024 positions. Rounds were seen to take a quarter of it
    (`python -m benchmarks.kernels_a_round`), which is room for larger images and for
    texts, whose sizes the params do not tell. Whoever knows better has `in_groups`.

    Args:
        local_update: what a client computes.
        params: the model, or its shapes.
        device: one of those that the clients are spread over.
        sizes: examples of each client, of which full batches are; None for one.
        runs: federations that the device computes at the same time.
    """
    leaves = jax.tree.leaves(params)
    batch = local_update.batch or max(sizes or (1,))
    floats = VECTORS * sum(leaf.size for leaf in leaves)
    floats += batch * sum(_touched(leaf.shape) for leaf in leaves)
    return max(1, int(SHARE * memory_of(device) / (4 * runs * floats)))


def memory_of(device: jax.Device) -> int:
    """Bytes that a process may have of a device; `LEAST_BYTES` if it does not tell.

    Several processes must come to the same number, and each can ask its own devices alone.
    """
    if jax.process_count() > 1:
        return LEAST_BYTES
    try:
        told = device.memory_stats() or {}
    except (jax.errors.JaxRuntimeError, NotImplementedError):  # one to compile for
        told = {}
    return told.get("bytes_limit", LEAST_BYTES)


def _touched(shape: tuple[int, ...]) -> int:
    """Floats of an example that a layer with such weights reads and writes."""
    return sum(shape[-2:]) * (POSITIONS if len(shape) == 4 else 1)
