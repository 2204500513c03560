"""Rounds whose clients are elsewhere: what either end computes, on any engine.

Both ends speak in frames of `wire` and know nothing of how they travel: `Server` and
`Node` are what an engine's two programs call, see `flq_jax.flower`.
"""

from flq_jax.remote.memory import ClientMemory, Memories, NodeMemory
from flq_jax.remote.messages import NEVER, Answer, Instruction, Reply
from flq_jax.remote.node import Node
from flq_jax.remote.replay import Happened, replaying, silenced
from flq_jax.remote.server import Server, elsewhere

__all__ = [
    "NEVER",
    "Answer",
    "ClientMemory",
    "Happened",
    "Instruction",
    "Memories",
    "Node",
    "NodeMemory",
    "Reply",
    "Server",
    "elsewhere",
    "replaying",
    "silenced",
]
