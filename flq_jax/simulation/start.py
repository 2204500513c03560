"""What a run starts from: its state, its examples on their devices, its layouts."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from flq_jax import federated
from flq_jax.data.clients import client_data
from flq_jax.data.flat import Shards, flat_data, lies_flat, rows_of_block
from flq_jax.federated import Federation, State
from flq_jax.federated.sharding import on_cpu
from flq_jax.ledger import Links

MOST_EVERYWHERE = 10**9  # bytes of examples on all of a CPU's devices together


def initial_state(
    federation: Federation,
    initial: Callable[[Any], Any],
    given: Any,
    clients: int,
    mesh: Mesh,
) -> State:
    """The state before the first round, each client's part made where it belongs.

    It is one program: each of the many small ones of an initialisation would have to be
    compiled by itself.

    Args:
        federation: what the run is made of.
        initial: `given` -> the initial params.
        given: arrays, such as the run's key, or the params themselves.
        clients: M.
        mesh: the devices that the clients are spread over.
    """

    def init(given):
        return federated.init(federation, initial(given), clients)

    lies = federated.state_sharding(mesh, jax.eval_shape(init, given))
    # It runs once: to optimise it would take longer than to run it as it is.
    quickly = {"xla_backend_optimization_level": 0}
    return jax.jit(init, out_shardings=lies, compiler_options=quickly)(given)


def spread(
    inputs: np.ndarray,
    targets: np.ndarray,
    parts: Sequence[np.ndarray],
    mesh: Mesh,
    *,
    batch: int,
    longest: int,
    everyone: bool = True,
) -> Shards:
    """The clients' examples, on their devices; a process makes its own clients' alone.

    They are stacked where clients have about as many, and flat otherwise, see
    `lies_flat`.

    Args:
        inputs: [n, ...], see `client_data`.
        targets: [n, ...].
        parts: for each client the rows it holds, integers[n_m].
        mesh: the devices that the clients are spread over.
        batch: examples of one gradient; 0 is all of a client's, and bytes are scaled
            here and now.
        longest: see `padded_length`.
        everyone: whether all clients work in each round. Where some do, the examples
            of any may be wanted on any device: a CPU's devices all have them, if that
            fits `MOST_EVERYWHERE`, lest every round move some.
    """
    sizes = [len(part) for part in parts]
    mine = federated.local_clients(mesh, len(parts))
    own = [parts[client] for client in mine]
    dtype = np.float32 if inputs.dtype == np.uint8 and not batch else None
    lie = layout(
        inputs, targets, sizes, mesh, batch=batch, longest=longest, everyone=everyone
    )
    if not lie.blocks:
        data = client_data(inputs, targets, own, dtype, longest)
        return federated.from_local(mesh, data, len(parts), lie.copies > 1)
    here, before = (n * lie.blocks // len(parts) for n in (len(mine), mine[0]))
    data = flat_data(inputs, targets, own, longest, dtype, here, lie.rows, before)
    return federated.from_local(mesh, data, len(parts), lie.blocks == 1)


class Layout(NamedTuple):
    """How the clients' examples lie on the devices.

    Attributes:
        longest: rows of each client's arrays.
        blocks: of a `Pool`; 0 where they are stacked.
        rows: of each block.
        copies: how often the whole of it is there: once, or on each device.
        nbytes: of one such whole.
    """

    longest: int
    blocks: int = 0
    rows: int = 0
    copies: int = 1
    nbytes: int = 0


def layout(
    inputs: np.ndarray,
    targets: np.ndarray,
    sizes: Sequence[int],
    mesh: Mesh,
    *,
    batch: int,
    longest: int,
    everyone: bool,
) -> Layout:
    """What `spread` makes of clients of so many examples; see there."""
    flat = lies_flat(sizes, longest)
    width = 1 if batch or inputs.dtype != np.uint8 else 4
    example = inputs[0].nbytes * width + targets[0].nbytes
    held = example * (sum(sizes) if flat else longest * len(sizes))
    apart = len(sizes) % mesh.size == 0 and not _lie_everywhere(held, mesh, everyone)
    copies = 1 if apart else mesh.size
    if not flat:
        return Layout(longest, copies=copies, nbytes=held)
    blocks = mesh.size if apart else 1
    rows = rows_of_block(sizes, blocks)
    return Layout(longest, blocks, rows, copies, example * blocks * rows)


def _lie_everywhere(nbytes: int, mesh: Mesh, everyone: bool) -> bool:
    """Whether each device shall have so many bytes of examples."""
    near = on_cpu(mesh) and jax.process_count() == 1
    return near and not everyone and nbytes * mesh.size <= MOST_EVERYWHERE


def padded_length(sizes: Sequence[int], reads_all: bool) -> int:
    """Rows of each client's arrays: as many as the largest client has, or more.

    Where clients differ and draw minibatches, it is rounded up to 2^k or 1.5 2^k, so
    that most splits by other seeds have the same length, and share a program. Full
    batches and local epochs would take longer by it.

    Args:
        sizes: examples of each client.
        reads_all: see `LocalUpdate`.
    """
    longest = max(sizes)
    if min(sizes) == longest or reads_all:
        return longest
    step = max(1, 2 ** (longest.bit_length() - 2))
    return -(-longest // step) * step


def links(federation: Federation, num_params: int) -> Links:
    """The layouts of the run's messages.

    A client can tell the model's movement from two exact broadcasts that it heard one
    after the other; where broadcasts are quantized, or it may have missed one, it must be
    told the threshold of its lazy rule.
    """
    down = federation.downlink.compressor.layout(num_params)
    exact = down.floats and federation.network.everyone
    lazy = federation.compressor.history > 0
    return Links(
        federation.compressor.layout(num_params),
        down,
        threshold_bits=32 if lazy and not exact else 0,
    )
