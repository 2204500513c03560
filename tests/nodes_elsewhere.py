"""A server and nodes in one process that speak in bytes, and their simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from flq_jax import federated, keys
from flq_jax.compressors import clag, direct, error_feedback, innovation, lazy, perm_k
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import identity, in_parts, rotated, sign, top_k, uniform
from flq_jax.remote import (
    Happened,
    Instruction,
    Node,
    NodeMemory,
    Server,
    elsewhere,
    replaying,
)
from flq_jax.remote.server import Spoken
from flq_jax.simulation import start

D, CLIENTS, ROUNDS = 12, 3, 4
ROOT = keys.seed_key(0)


def loss(params, inputs, labels, weights, key):
    del key
    return jnp.dot(weights, (inputs @ params - labels) ** 2)


def examples():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((CLIENTS, 5, D)).astype(np.float32)
    labels = rng.standard_normal((CLIENTS, 5)).astype(np.float32)
    return ClientData(inputs, labels, np.int32([5, 3, 4]))


class Elsewhere:
    """A server and a node for each client, who speak in bytes."""

    def __init__(
        self,
        uplink,
        downlink=None,
        client=None,
        network=None,
        step=0.05,
        data=None,
    ):
        work = federated.gradient(loss) if client is None else client
        self.data = examples() if data is None else data
        params = jnp.ones(D)
        self.federation = federated.federation(
            params,
            work,
            uplink,
            optax.sgd(step),
            federated.everyone(CLIENTS) if network is None else network,
            step_size=step,
            downlink=downlink,
        )
        told = work.broadcast(params)
        d = sum(leaf.size for leaf in jax.tree.leaves(told))
        self.links = start.links(self.federation, d)
        self.first = federated.init(self.federation, params, CLIENTS)
        self.state = elsewhere(self.first, CLIENTS)
        self.server = Server(self.federation, self.links, ROOT, self.data.sizes)
        self.nodes = [
            Node(
                self.federation,
                self.links,
                ROOT,
                {m: self.data.one(m)},
                told,
            )
            for m in range(CLIENTS)
        ]
        self.memories = [NodeMemory() for _ in range(CLIENTS)]
        self.heard = [None] * CLIENTS
        self.happened = []

    def instruction(self, begun, k, m):
        missed = begun.remembers and self.heard[m] != k - 1
        known = dict(zip(begun.who, begun.acknowledged))
        return Instruction(
            k,
            begun.frame,
            k - 1 if begun.remembers else -1,
            begun.movements,
            (m,),
            (known[m],),
            (begun.who.index(m),),
            begun.reference if missed else (),
        )

    def round(self, k, deaf=(), lost=()):
        """Plays round k; `deaf` never hear of it, of the `lost` no answer arrives."""
        begun, spoken = self.server.announce(self.state, k), {}
        for m in begun.who:
            if m in deaf:
                continue
            told = self.instruction(begun, k, m)
            answer, self.memories[m] = self.nodes[m].answer(told, self.memories[m])
            assert not answer.behind and answer.digest == told.digest
            if m not in lost:
                self.heard[m] = k
                (reply,) = answer.replies
                spoken[m] = Spoken(reply, self.server.message(reply))
        anew = frozenset(m for m, each in spoken.items() if each.reply.anew)
        self.happened.append(Happened(frozenset(spoken), anew))
        self.state, metrics = self.server.close(self.state, k, begun.who, spoken)
        return spoken, metrics

    def simulated(self):
        """The state after the same rounds, without bytes and nodes."""
        step = replaying(self.federation, ROOT, self.data, self.first)
        state = self.first
        for k, happened in enumerate(self.happened):
            state = step(state, k, happened)
        return state

    def holds(self):
        state = self.simulated()
        assert np.array_equal(state.params, self.state.params)
        for a, b in zip(
            jax.tree.leaves((state.server_memory, state.opt_state, state.downlink)),
            jax.tree.leaves(
                (self.state.server_memory, self.state.opt_state, self.state.downlink)
            ),
        ):
            assert np.array_equal(a, b)


METHODS = {
    "floats": lambda: {"uplink": direct(identity())},
    "ef_sign": lambda: {"uplink": error_feedback(sign())},
    "ef21": lambda: {"uplink": innovation(top_k(4, D))},
    "laq": lambda: {"uplink": lazy(innovation(uniform(4)), weight=0.8)},
    "clag": lambda: {"uplink": clag(innovation(top_k(4, D)), zeta=1.0)},
    "perm_k": lambda: {"uplink": perm_k(2, sign())},
    "relayed": lambda: {
        "uplink": perm_k(2, sign()),
        "downlink": federated.compressed(
            innovation(rotated(in_parts(sign(), 2))), adopted=True, relayed=True
        ),
    },
    "two_laq": lambda: {
        "uplink": lazy(innovation(uniform(4)), weight=0.8),
        "downlink": federated.compressed(innovation(uniform(4))),
    },
}
