"""Rounds whose clients are elsewhere: the model is that of the simulation, bit for bit."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from more import more, only
from nodes_elsewhere import CLIENTS, METHODS, ROUNDS, D, Elsewhere, examples, loss

from flq_jax import federated, wire
from flq_jax.data.flat import flat_data
from flq_jax.remote import NodeMemory


@pytest.mark.parametrize(
    "name", only({"floats", "ef_sign", "two_laq", "relayed"}, METHODS)
)
def test_the_model_is_the_simulations_bit_for_bit(name):
    run = Elsewhere(**METHODS[name]())
    for k in range(ROUNDS):
        run.round(k)
    run.holds()
    assert all(each.there == {0, 1, 2} for each in run.happened)


@pytest.mark.more
@pytest.mark.parametrize("name", ["floats", "laq"])
def test_so_it_is_where_examples_lie_flat(name):
    """A node has the pool of its own client alone, the simulation that of all."""
    padded, client = examples(), federated.gradient(loss, batch=2)
    parts = np.split(np.arange(12), [5, 8])
    rows = [padded.inputs[m, :n] for m, n in enumerate(padded.sizes)]
    labels = [padded.labels[m, :n] for m, n in enumerate(padded.sizes)]
    arrays = np.concatenate(rows), np.concatenate(labels)
    run = Elsewhere(**METHODS[name](), client=client, data=flat_data(*arrays, parts, 5))
    for m, (node, part) in enumerate(zip(run.nodes, parts, strict=True)):
        node.shards = {m: flat_data(*arrays, [part], 5).one(0)}
    for k in range(ROUNDS):
        run.round(k)
    run.holds()


@pytest.mark.parametrize("name", ["ef_sign", more("two_laq")])
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


@pytest.mark.parametrize("name", [more("ef21"), "two_laq"])
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
