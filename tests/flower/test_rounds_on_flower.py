"""Rounds by Flower's records and apps, on a grid without a network."""

import numpy as np
import pytest
from nodes_elsewhere import METHODS, Elsewhere

flwr = pytest.importorskip("flwr", reason="needs the extra [flower], see .ci/flower")

from flwr.app import ArrayRecord, ConfigRecord, Context, RecordDict  # noqa: E402
from flwr.supercore.task_identity import TaskIdentity  # noqa: E402

from flq_jax.flower import records, states  # noqa: E402
from flq_jax.flower.client_app import Work, client_app  # noqa: E402
from flq_jax.flower.nodes import Nodes, NoNodes  # noqa: E402
from flq_jax.flower.rounds import played  # noqa: E402
from flq_jax.remote import Answer, Happened, Instruction, NodeMemory, Reply  # noqa: E402

IDENTITY = "of this run"
WHO = 0, 1, 2


class Grid:
    """Nodes in this process, a client's each, by Flower's messages.

    Args:
        run: see `Elsewhere`.
        bend: (node, content of its answer) -> the content that arrives; None: none does.
    """

    def __init__(self, run, bend=lambda node, content: content):
        self.bend, self.replies = bend, {}
        self.apps = [client_app(lambda _, n=n: Work(n, IDENTITY)) for n in run.nodes]
        self.contexts = [Context(1, m, {}, RecordDict(), {}) for m in WHO]

    def get_node_ids(self):
        return list(WHO)

    def push_messages(self, messages):
        for message in messages:
            node = message.metadata.dst_node_id
            number = f"{len(self.replies)}"
            message.metadata.__dict__["_message_id"] = number
            reply = self.apps[node](message, self.contexts[node])
            content = self.bend(node, reply.content)
            self.replies[number] = None if content is None else (reply, content)
            yield number

    def pull_messages(self, numbers):
        for number in numbers:
            if self.replies.get(number):
                reply, content = self.replies.pop(number)
                reply.content = content
                yield reply


@pytest.fixture(autouse=True)
def _process_of_a_task(monkeypatch):
    for name in ("_run_id", "_task_id", "_node_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def play(run, grid, rounds, deadline_s=1.0):
    """Plays rounds on the grid; each of them."""
    nodes = Nodes(grid, IDENTITY, run.server.sizes)
    nodes.gather(5.0)
    done = []
    for k in range(rounds):
        done.append(played(run.server, nodes, run.state, k, deadline_s))
        run.state = done[-1].state
        run.happened.append(Happened(done[-1].there, done[-1].anew))
    return done


@pytest.mark.parametrize("name", ["ef_sign", "two_laq"])
def test_the_model_is_the_simulations_by_flower_s_messages(name):
    run = Elsewhere(**METHODS[name]())
    done = play(run, Grid(run), 3)
    run.holds()
    assert all(each.there == {*WHO} and not each.left_out for each in done)


def _frame(content, frame):
    record = content.config_records[records.FLQ]
    record["frame.1"] = frame(record["frame.1"])
    return content


def _with(content, **fields):
    content.config_records[records.FLQ].update(fields)
    return content


WRONG = {
    "damaged": (lambda c: _frame(c, lambda f: f[:-1] + b"!"), "CRC-32"),
    "cut": (lambda c: _frame(c, lambda f: f[:9]), "wire: "),
    "oversized": (lambda c: _frame(c, lambda f: f * 99), "frame must be <= "),
    "foreign": (lambda c: RecordDict(), "must have the record flq"),
    "arrays": (lambda c: RecordDict({"x": ArrayRecord([np.ones(2)])}), "the record"),
    "stale": (lambda c: _with(c, digest="0" * 16), "to another broadcast"),
    "another's": (lambda c: _with(c, clients=[0]), "must be of the clients (1,)"),
    "twice": (lambda c: _with(c, clients=[1, 1]), "must be as many as"),
    "typed": (lambda c: _with(c, loss=["low"]), "must be a list of float"),
    "infinite": (lambda c: _with(c, loss=[float("inf")]), "must be finite"),
    "none": (lambda c: None, "no answer in 1 s"),
}


@pytest.mark.parametrize("how", WRONG)
def test_who_answers_wrong_is_as_if_it_were_silent(how):
    bend, why = WRONG[how]
    asked = []

    def bent(node, content):
        if node != 1 or "hello" in content or "digest" not in content[records.FLQ]:
            return content
        asked.append(node)
        return bend(content) if len(asked) == 2 else content

    run = Elsewhere(**METHODS["ef_sign"]())
    done = play(run, Grid(run, bent), 3)
    run.holds()
    assert done[1].there == {0, 2} and why in done[1].left_out[1]
    assert done[0].there == {0, 1, 2}
    # Who owes an answer is not asked again before it comes.
    assert (done[2].there == {0, 1, 2}) == (how != "none")


@pytest.mark.parametrize(
    "said, why",
    [
        ({"identity": "another"}, "works for another run"),
        ({"sizes": [99]}, "its clients or their examples are others"),
        ({"clients": [7]}, "its clients or their examples are others"),
        ({"clients": "all"}, "clients must be a list of int"),
        ({"sizes": [1, 2]}, "must be as many as the clients"),
    ],
)
def test_a_node_that_is_of_another_run_is_asked_for_nothing(said, why):
    run = Elsewhere(**METHODS["ef_sign"]())
    grid = Grid(run, lambda node, content: _with(content, **said if node else {}))
    with pytest.raises(NoNodes, match=r"got none for \[1, 2\] in 0.5 s") as found:
        Nodes(grid, IDENTITY, run.server.sizes).gather(0.5)
    assert why in str(found.value)


def test_a_node_that_lost_its_state_begins_anew():
    run = Elsewhere(**METHODS["two_laq"]())
    grid = Grid(run)
    nodes = Nodes(grid, IDENTITY, run.server.sizes)
    nodes.gather(5.0)
    for k in range(4):
        if k == 2:
            grid.contexts[1].state = RecordDict()
        done = played(run.server, nodes, run.state, k, 1.0)
        run.state = done.state
        run.happened.append(Happened(done.there, done.anew))
    # In round 2 it says that it missed a broadcast, in round 3 it gets the reference.
    assert [each.there for each in run.happened[2:]] == [{0, 2}, {0, 1, 2}]
    assert [each.anew for each in run.happened[2:]] == [set(), {1}]
    run.holds()


def test_a_state_is_what_was_remembered():
    run = Elsewhere(**METHODS["two_laq"]())
    grid = Grid(run)
    play(run, grid, 2)
    state, node = grid.contexts[0].state, run.nodes[0]
    memory = states.remembered(state, node)
    again = RecordDict()
    states.kept(again, memory)
    assert again == state and memory.heard == 1 and {*memory.clients} == {0}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"flq.rounds": ConfigRecord({"heard": 3})},
        {"flq.rounds": ConfigRecord({"heard": "three"})},
        {
            "flq.rounds": ConfigRecord({"heard": 3}),
            "flq.downlink": ArrayRecord([np.ones(2)]),
        },
    ],
)
def test_a_state_of_another_version_is_none(state):
    run = Elsewhere(**METHODS["two_laq"]())
    assert states.remembered(RecordDict(state), run.nodes[0]) == NodeMemory()


def test_frames_travel_whole_whatever_their_size():
    for size in (0, 1, records.LARGE, records.LARGE + 1):
        frame = bytes(size)
        told = Instruction(3, frame, -1, b"", (1, 2), (0, -1), (0, 1))
        assert records.heard(records.told(told)) == told
        reply = Reply(1, frame, 0.5, True, False, 0.25, False)
        answer = Answer(3, told.digest, False, (reply,))
        content = records.said(answer)
        assert records.answered(content) == answer
        assert (records.FRAMES in content) == (size > records.LARGE)


def test_silence_is_a_reply_without_a_frame():
    reply = Reply(1, b"", 0.5, True, False, 0.25, False)
    content = records.said(Answer(0, "", False, (reply,)))
    assert not [name for name in content[records.FLQ] if name.startswith("frame")]
