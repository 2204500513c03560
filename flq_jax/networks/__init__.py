"""Networks with a radio under them: the glue between rounds and `flq_jax.wireless`."""

from flq_jax.networks.cell_network import (
    RadioState,
    Work,
    cell,
    offered,
    positions_m,
    summary,
)
from flq_jax.networks.cycles import cycles, work
from flq_jax.networks.disk import place

__all__ = [
    "RadioState",
    "Work",
    "cell",
    "cycles",
    "offered",
    "place",
    "positions_m",
    "summary",
    "work",
]
