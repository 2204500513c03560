"""A Flower ClientApp that works for clients of a federation."""

from collections.abc import Callable
from typing import NamedTuple

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from flq_jax.flower import records, states
from flq_jax.remote import Node


class Work(NamedTuple):
    """What a node works with.

    Attributes:
        node: see `Node`.
        identity: what names the run; a server of another one takes no answer.
    """

    node: Node
    identity: str


def client_app(make: Callable[[Context], Work]) -> ClientApp:
    """The app: it says for whom it works, `query`, and works, `train`.

    Flower starts a process for each message, which makes its `Work` once more; what is
    to last lies in `context.state`.

    Args:
        make: context -> what the node works with; `context.node_config` tells which one
            it is.
    """
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        work = make(context)
        content = records.hello(work.identity, work.node.sizes)
        return Message(content, reply_to=message)

    @app.train()
    def train(message: Message, context: Context) -> Message:
        work = make(context)
        memory = states.remembered(context.state, work.node)
        answer, memory = work.node.answer(records.heard(message.content), memory)
        states.kept(context.state, memory)
        return Message(records.said(answer), reply_to=message)

    return app
