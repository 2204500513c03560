"""One round: the instructions, the answers, and who is left out and why."""

from collections.abc import Sequence
from typing import NamedTuple

from flwr.app import RecordDict

from flq_jax.federated.state import Metrics, State
from flq_jax.flower import records
from flq_jax.flower.nodes import Nodes
from flq_jax.remote import NEVER, Answer, Instruction
from flq_jax.remote.server import Announcement, Server, Spoken
from flq_jax.wire import WireError


class Round(NamedTuple):
    """A round that is done.

    Attributes:
        index: k.
        state: after it.
        metrics: what it reports.
        asked: the clients that the network asked.
        there: those whose reply counted; the others were as if they were not there.
        anew: those of them that had lost what they remembered, and began anew.
        left_out: client -> why its reply does not count.
        down_bytes: of the broadcast's frame.
        up_bytes: of all frames that counted.
        messages: how many those were.
    """

    index: int
    state: State
    metrics: Metrics
    asked: tuple[int, ...]
    there: frozenset[int]
    anew: frozenset[int]
    left_out: dict[int, str]
    down_bytes: int
    up_bytes: int
    messages: int


def played(
    server: Server, nodes: Nodes, state: State, k: int, deadline_s: float
) -> Round:
    """Plays round k, with those who answer before the deadline.

    Args:
        server: what computes.
        nodes: whom it can ask.
        state: before the round.
        k: counted from 0.
        deadline_s: so long it waits for answers, and for a first node before.

    Raises:
        NoNodes: nobody can be asked.
    """
    begun = server.announce(state, k)
    asked = nodes.free(begun.who, deadline_s)
    told = {
        node: instruction(begun, k, clients, nodes.heard.get(node))
        for node, clients in asked.items()
    }
    contents = {node: records.told(each) for node, each in told.items()}
    answers = nodes.ask(contents, str(k), deadline_s)
    spoken: dict[int, Spoken] = {}
    left_out = dict.fromkeys(begun.who, "no node works for it, or it owes an answer")
    for node, clients in asked.items():
        left_out |= dict.fromkeys(clients, f"no answer in {deadline_s:g} s")
        if node not in answers:
            continue
        try:
            answer = understood(answers[node], told[node])
        except WireError as error:
            left_out |= dict.fromkeys(clients, str(error))
            continue
        if answer.behind:
            nodes.heard.pop(node, None)
            left_out |= dict.fromkeys(clients, "it had missed a broadcast")
            continue
        nodes.heard[node] = k
        for reply in answer.replies:
            try:
                spoken[reply.client] = Spoken(reply, server.message(reply))
            except WireError as error:
                left_out[reply.client] = str(error)
    after, metrics = server.close(state, k, begun.who, spoken)
    return Round(
        index=k,
        state=after,
        metrics=metrics,
        asked=begun.who,
        there=frozenset(spoken),
        anew=frozenset(m for m, each in spoken.items() if each.reply.anew),
        left_out={m: why for m, why in left_out.items() if m not in spoken},
        down_bytes=len(begun.frame),
        up_bytes=sum(len(each.reply.frame) for each in spoken.values()),
        messages=sum(bool(each.reply.frame) for each in spoken.values()),
    )


def instruction(
    begun: Announcement, k: int, clients: Sequence[int], heard: int | None
) -> Instruction:
    """What a node is told that works for these clients, and heard round `heard` last."""
    acknowledged = dict(zip(begun.who, begun.acknowledged))
    turns = {m: turn for turn, m in enumerate(begun.who)}
    missed = begun.remembers and heard != k - 1
    return Instruction(
        round_index=k,
        frame=begun.frame,
        since=k - 1 if begun.remembers else NEVER,
        movements=begun.movements,
        clients=tuple(clients),
        acknowledged=tuple(acknowledged[m] for m in clients),
        turns=tuple(turns[m] for m in clients),
        reference=begun.reference if missed else (),
    )


def understood(content: RecordDict, told: Instruction) -> Answer:
    """A node's answer to what it was told; `WireError` if it is none."""
    answer = records.answered(content)
    if (answer.round_index, answer.digest) != (told.round_index, told.digest):
        raise WireError(
            f"flower: must answer round {told.round_index}, got an answer to another "
            f"broadcast, round {answer.round_index}"
        )
    clients = [reply.client for reply in answer.replies]
    if len({*clients}) != len(clients) or not {*clients} <= {*told.clients}:
        raise WireError(
            f"flower: replies must be of the clients {told.clients}, got {clients}"
        )
    return answer
