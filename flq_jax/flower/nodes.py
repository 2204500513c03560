"""The nodes that are there, for whom they work, and what they answer in time."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from flq_jax.flower.records import FLQ, greeted
from flq_jax.wire import WireError

POLL_S = 0.2  # between two looks for answers
LOOK_S = 2.0  # between two looks for nodes


class NoNodes(RuntimeError):
    """There is nobody who works for the clients."""


class Sent(NamedTuple):
    """A message without an answer so far: to which node, and whether it asks who it is."""

    node: int
    query: bool


class Nodes:
    """Whom the server can ask.

    A node that comes is asked for whom it works, and is asked for nothing else before it
    has said so. Who says so last works for a client: a node that was started again has
    another number. A node that owes an answer is not asked again before it comes.

    Args:
        grid: Flower's, to its nodes.
        identity: what the nodes must name.
        sizes: how many examples each client has, by which they must say the same.

    Attributes:
        hosts: client -> the node that works for it.
        heard: node -> the round of the last broadcast that it has understood.
        refused: node -> why it is asked for nothing.
    """

    def __init__(self, grid: Grid, identity: str, sizes: Sequence[int]):
        self.hosts: dict[int, int] = {}
        self.heard: dict[int, int] = {}
        self.refused: dict[int, str] = {}
        self._grid, self._identity, self._sizes = grid, identity, list(sizes)
        self._sent: dict[str, Sent] = {}
        self._there: set[int] = set()
        self._looked = -LOOK_S

    def gather(self, wait_s: float) -> None:
        """Waits for nodes that work for all clients; `NoNodes` if they do not come."""
        end = time.monotonic() + wait_s
        while len(self.hosts) < len(self._sizes):
            if time.monotonic() > end:
                absent = sorted({*range(len(self._sizes))} - {*self.hosts})
                why = "; ".join({*self.refused.values()})
                raise NoNodes(
                    f"nodes: must work for all clients, got none for {absent[:9]} in "
                    f"{wait_s:g} s{f' ({why})' * bool(why)}"
                )
            self._pull({})
            time.sleep(POLL_S)

    def ask(
        self, contents: Mapping[int, RecordDict], group: str, deadline_s: float
    ) -> dict[int, RecordDict]:
        """What the nodes answer before the deadline, by node; some may not.

        Args:
            contents: what each is asked.
            group: Flower's, the round.
            deadline_s: seconds from now.
        """
        end = time.monotonic() + deadline_s
        wanted = self._push(contents, MessageType.TRAIN, group)
        answers: dict[int, RecordDict] = {}
        while wanted:
            answers |= self._pull(wanted)
            wanted = {i: node for i, node in wanted.items() if i in self._sent}
            if time.monotonic() > end:
                break
            time.sleep(POLL_S if wanted else 0)
        return answers

    def free(self, clients: Sequence[int], wait_s: float) -> dict[int, list[int]]:
        """The nodes that can be asked for some of these clients, and for which.

        It waits for one if there is none; `NoNodes` if none comes.
        """
        end = time.monotonic() + wait_s
        while True:
            self._pull({})
            busy = {sent.node for sent in self._sent.values() if not sent.query}
            found: dict[int, list[int]] = {}
            for m in clients:
                node = self.hosts.get(m)
                if node is not None and node not in busy:
                    found.setdefault(node, []).append(m)
            if found:
                return found
            if time.monotonic() > end:
                raise NoNodes(
                    f"nodes: must work for some of the clients {list(clients)[:9]}, got "
                    f"none in {wait_s:g} s"
                )
            time.sleep(POLL_S)

    def _push(
        self, contents: Mapping[int, RecordDict], kind: str, group: str
    ) -> dict[str, int]:
        """Sends the messages: number of each -> node."""
        nodes = list(contents)
        messages = [
            Message(contents[node], node, kind, group_id=group) for node in nodes
        ]
        numbers = list(self._grid.push_messages(messages)) if messages else []
        pushed = {n: node for n, node in zip(numbers, nodes) if n}
        query = kind == MessageType.QUERY
        self._sent |= {n: Sent(node, query) for n, node in pushed.items()}
        return pushed

    def _pull(self, wanted: Mapping[str, int]) -> dict[int, RecordDict]:
        """Takes what has come; the contents of the wanted answers, by node."""
        self._look()
        found: dict[int, RecordDict] = {}
        if not self._sent:
            return found
        for reply in self._grid.pull_messages(list(self._sent)):
            number = reply.metadata.reply_to_message_id
            sent = self._sent.pop(number, None)
            if sent is None:
                continue
            if sent.query:
                self._meet(sent.node, reply)
            elif number in wanted and not reply.has_error():
                found[sent.node] = reply.content
        return found

    def _look(self) -> None:
        """Asks those who have come who they are, and forgets those who have gone."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        there = set(self._grid.get_node_ids())
        for node in self._there - there:
            self._forget(node)
        new = there - self._there
        self._there = there
        hello = {node: RecordDict({FLQ: ConfigRecord({"hello": 1})}) for node in new}
        self._push(hello, MessageType.QUERY, "hello")

    def _forget(self, node: int) -> None:
        self.hosts = {m: n for m, n in self.hosts.items() if n != node}
        self._sent = {i: sent for i, sent in self._sent.items() if sent.node != node}
        self.heard.pop(node, None)

    def _meet(self, node: int, reply: Message) -> None:
        """Takes down for whom a node works, or why it is asked for nothing."""
        if reply.has_error():
            self.refused[node] = f"a node: {reply.error.reason:.200}"
            return
        try:
            identity, sizes = greeted(reply.content)
        except WireError as error:
            self.refused[node] = f"a node: {error}"
            return
        if identity != self._identity:
            self.refused[node] = "a node: works for another run"
            return
        known = dict(enumerate(self._sizes))
        if not sizes or any(known.get(m) != size for m, size in sizes.items()):
            self.refused[node] = "a node: its clients or their examples are others"
            return
        for before in {self.hosts[m] for m in sizes if m in self.hosts} - {node}:
            if all(m in sizes for m, n in self.hosts.items() if n == before):
                self._forget(before)  # it was started again
        self.hosts |= dict.fromkeys(sizes, node)
