"""What a node of a config's run works with."""

from collections.abc import Mapping, Sequence

import jax
from ml_collections import ConfigDict

from flq_jax import federated
from flq_jax.data.dataset import Dataset
from flq_jax.flower.client_app import Work
from flq_jax.remote import Node
from flq_jax.simulation import start

from ..assembly.build import ingredients, padded_length, split
from ..assembly.setting import initial
from ..process.errors import ConfigError
from .identity import identity


def clients_of(node: Mapping[str, object], clients: int) -> list[int]:
    """The clients of a node, by Flower's `--node-config`: dealt round, or by number.

    Args:
        node: node=0 nodes=2, the number of this node and how many there are, or
            clients="0,3".
        clients: M.

    Raises:
        ConfigError: it names none, or one that there is not.
    """
    try:
        if "clients" in node:
            found = [int(m) for m in str(node["clients"]).split(",")]
        else:
            which, count = int(str(node["node"])), int(str(node["nodes"]))
            found = list(range(which, clients, count)) if which < count else []
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f'--node-config: must be node=0 nodes=2 or clients="0,3", got {dict(node)}'
        ) from error
    if not found or not {*found} <= {*range(clients)}:
        raise ConfigError(
            f"--node-config: clients must be in 0..{clients - 1}, got {found}"
        )
    return found


def work(config: ConfigDict, dataset: Dataset, mine: Sequence[int]) -> Work:
    """What a node works with that works for these clients: their examples alone."""
    parts = split(config, dataset)
    made = ingredients(config, dataset, parts)
    federation, first = made.federation, initial(made.setting)

    @jax.jit
    def params(root):
        return federation.local_update.broadcast(first(root))

    start_from = params(made.root)
    d = sum(leaf.size for leaf in jax.tree.leaves(start_from))
    held = start.spread(
        dataset.train_inputs,
        dataset.train_labels,
        [parts[m] for m in mine],
        federated.client_mesh(1),
        batch=federation.local_update.batch,
        longest=padded_length(federation.local_update, parts),
    )
    shards = {m: held.one(i) for i, m in enumerate(mine)}
    links = start.links(federation, d)
    node = Node(federation, links, made.root, shards, start_from)
    return Work(node, identity(config, dataset))
