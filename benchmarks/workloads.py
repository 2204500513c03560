"""Rounds that are timed beside peers: what is trained, by how many, and how."""

import functools
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax import federated, keys, models
from flq_jax.compressors import direct
from flq_jax.data import partition
from flq_jax.data.dataset import Dataset
from flq_jax.quantizers import identity
from flq_jax.simulation import start

from .products import gradient_operations

STEP = 0.1


class Workload(NamedTuple):
    """A federation that sends floats.

    Attributes:
        model: what is trained, by softmax cross-entropy.
        clients: among whom MNIST is shared out.
        asked: so many work in a round.
        batch: examples of a gradient.
        epochs: of local SGD, whose model deltas are averaged; 0: one gradient each.
        rounds: timed in one call.
        examples: of all clients together.
    """

    model: nn.Module
    clients: int
    asked: int
    batch: int
    epochs: int
    rounds: int
    examples: int = 60_000

    @property
    def widths(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer, where all are dense."""
        hidden = getattr(self.model, "hidden", ())
        return list(pairwise((784, *hidden, 10)))

    @property
    def dense(self) -> bool:
        """Whether it is a network of dense layers alone."""
        return not isinstance(self.model, models.CNN)

    @property
    def light(self) -> bool:
        """Whether a round is fastest on one device, see `suited_mesh`."""
        return not self.epochs and isinstance(self.model, models.Logistic)

    @property
    def share(self) -> int:
        """Examples of each client."""
        return self.examples // self.clients

    @property
    def operations(self) -> int:
        """Multiplications and additions of a round's gradients."""
        each = self.epochs * self.share or self.batch
        return self.asked * each * gradient_operations(self.model, (28, 28))


WORKLOADS = {
    "softmax": Workload(models.Logistic(), 100, 100, 50, 0, 100),
    "mlp": Workload(models.MLP((200,)), 100, 100, 50, 0, 10),
    "fedavg": Workload(models.MLP((200, 200)), 100, 10, 20, 1, 5),
    "cnn": Workload(models.mcmahan_cnn(), 100, 10, 20, 1, 1),
}


def ours(work: Workload, dataset: Dataset, devices: int) -> Callable[[], object]:
    """The workload's rounds on so many devices, as many as divide the clients."""
    root, loss = keys.seed_key(0), models.classification_loss(work.model)
    params = jax.jit(work.model.init)(root, jnp.zeros((1, 28, 28)))["params"]
    client = federated.gradient(loss, work.batch)
    if work.epochs:
        client = federated.local_epochs(
            loss, optax.sgd(STEP), work.batch, epochs=work.epochs
        )
    mesh = federated.client_mesh(work.clients, jax.devices()[:devices])
    fed = federated.federation(
        params,
        client,
        direct(identity()),
        optax.sgd(1.0 if work.epochs else STEP),
        federated.sampled(work.asked, work.clients),
        grouping=federated.suited(client, params, mesh),
    )
    parts = partition.contiguous(dataset.train_labels, work.clients, 0)
    examples = start.spread(
        *dataset[:2],
        parts,
        mesh,
        batch=work.batch,
        longest=work.share,
        everyone=fed.network.everyone,
    )
    state = start.initial_state(fed, lambda tree: tree, params, work.clients, mesh)

    @functools.partial(jax.jit, donate_argnums=0)
    def chunk(state, root, data, begin):
        step = functools.partial(federated.round_step, fed, root, data)
        count = jnp.int32(work.rounds)
        return federated.run_rounds(step, state, begin, count, work.rounds)

    box = [state, 0]

    def call():
        box[0], metrics, *_ = chunk(box[0], root, examples, np.int32(box[1]))
        box[1] += work.rounds
        return jax.block_until_ready(metrics)

    return call
