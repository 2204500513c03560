"""Rounds whose clients are elsewhere: the model is that of the simulation, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flq_jax import federated, keys, wire
from flq_jax.compressors import clag, direct, error_feedback, innovation, lazy
from flq_jax.data.clients import ClientData
from flq_jax.quantizers import identity, sign, top_k, uniform
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

    def __init__(self, uplink, downlink=None, client=None, network=None, step=0.05):
        work = federated.gradient(loss) if client is None else client
        self.data = examples()
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
                {m: jax.tree.map(lambda x, m=m: x[m], self.data)},
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
    "two_laq": lambda: {
        "uplink": lazy(innovation(uniform(4)), weight=0.8),
        "downlink": federated.compressed(innovation(uniform(4))),
    },
}


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_the_simulations_bit_for_bit(name):
    run = Elsewhere(**METHODS[name]())
    for k in range(ROUNDS):
        run.round(k)
    run.holds()
    assert all(each.there == {0, 1, 2} for each in run.happened)


@pytest.mark.parametrize("name", ["ef_sign", "two_laq"])
def test_the_absent_are_as_silent_as_in_the_simulation(name):
    """They miss a broadcast, or their answer is lost: none of the ends is poisoned."""
    run = Elsewhere(**METHODS[name]())
    run.round(0)
    run.round(1, deaf={0}, lost={1})
    run.round(2, lost={2})
    run.round(3)
    run.holds()
    there = [each.there for each in run.happened]
    assert there == [{0, 1, 2}, {2}, {0, 1}, {0, 1, 2}]
    assert not any(each.anew for each in run.happened)


@pytest.mark.parametrize("name", ["ef21", "two_laq"])
def test_who_has_lost_its_memory_says_so_and_begins_anew(name):
    run = Elsewhere(**METHODS[name]())
    run.round(0)
    run.round(1)
    run.memories[1], run.heard[1] = NodeMemory(), None
    run.round(2)
    run.round(3)
    run.holds()
    assert [each.anew for each in run.happened] == [set(), set(), {1}, set()]


def test_who_is_asked_for_the_first_time_begins_as_all_do():
    run = Elsewhere(**METHODS["laq"](), network=federated.sampled(2, CLIENTS))
    for k in range(ROUNDS):
        run.round(k)
    run.holds()
    assert any(len(each.there) == 2 for each in run.happened)
    assert not any(each.anew for each in run.happened)


def test_who_missed_a_broadcast_says_so_until_it_gets_the_reference():
    run = Elsewhere(**METHODS["two_laq"]())
    run.round(0)
    begun = run.server.announce(run.state, 1)
    told = run.instruction(begun, 1, 0)
    behind, after = run.nodes[0].answer(told, NodeMemory())
    assert behind.behind and not behind.replies and after == NodeMemory()
    told = told._replace(reference=begun.reference)
    assert not run.nodes[0].answer(told, NodeMemory())[0].behind


def test_the_reply_of_who_lost_what_must_add_up_is_refused():
    client = federated.scaffold(loss, optax.sgd(0.05), 2, steps=1)
    run = Elsewhere(**METHODS["floats"](), client=client)
    run.round(0)
    run.memories[1] = NodeMemory()
    with pytest.raises(wire.WireError, match="must add up with the server's"):
        run.round(1)


def _reply(run):
    begun = run.server.announce(run.state, 0)
    answer, _ = run.nodes[0].answer(run.instruction(begun, 0, 0), NodeMemory())
    return answer.replies[0]


def _damaged(frame):
    return frame[:-1] + bytes([frame[-1] ^ 1])


@pytest.mark.parametrize(
    "wrong, said",
    [
        (_damaged, "CRC-32"),
        (lambda frame: frame[:-3], "frame"),
        (lambda frame: frame + b"\0" * 10_000, "frame must be <= "),
        (lambda frame: b"GET / HTTP/1.1\r\n\r\n", "frame"),
    ],
    ids=["damaged", "cut", "oversized", "foreign"],
)
def test_a_frame_that_is_none_of_the_uplink_s_is_refused(wrong, said):
    run = Elsewhere(**METHODS["ef_sign"]())
    reply = _reply(run)
    assert run.server.message(reply).num_bits == D + 32
    with pytest.raises(wire.WireError, match=said):
        run.server.message(reply._replace(frame=wrong(reply.frame)))


@pytest.mark.parametrize("name, part", [("floats", "codes"), ("ef_sign", "side")])
def test_numbers_that_are_not_finite_are_refused(name, part):
    run = Elsewhere(**METHODS[name]())
    reply = _reply(run)
    message = run.server.message(reply)
    numbers = np.array(getattr(message, part))
    numbers.view(np.float32)[0] = np.nan
    wrong = jnp.asarray(numbers)
    frame = wire.pack(message._replace(**{part: wrong}), run.links.uplink)
    with pytest.raises(wire.WireError, match="must be finite"):
        run.server.message(reply._replace(frame=frame))


def test_a_network_that_loses_messages_itself_is_refused():
    network = federated.everyone(CLIENTS)._replace(lossless=False)
    with pytest.raises(ValueError, match="must be everyone"):
        Elsewhere(**METHODS["floats"](), network=network)
