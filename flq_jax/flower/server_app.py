"""A Flower ServerApp that makes a federation's steps of what its nodes send."""

from collections.abc import Callable
from typing import NamedTuple

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from flq_jax.federated.state import State
from flq_jax.flower.nodes import Nodes
from flq_jax.flower.rounds import Round, played
from flq_jax.remote import Server


class Service(NamedTuple):
    """What a server works with.

    Attributes:
        server: see `Server`.
        identity: what names the run, as the nodes' `Work` has it.
        state: before the first round to be done, see `elsewhere`.
        begin: its number.
        rounds: of the whole run, counted from its start.
        each: called with every `Round` that is done: whether to go on.
        deadline_s: so long a round waits for its answers.
        wait_s: so long the run waits for nodes that work for all clients.
    """

    server: Server
    identity: str
    state: State
    begin: int
    rounds: int
    each: Callable[[Round], bool]
    deadline_s: float = 600.0
    wait_s: float = 120.0


def server_app(make: Callable[[Context], Service]) -> ServerApp:
    """The app.

    Args:
        make: context -> what the server works with.
    """
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        serve(grid, make(context))

    return app


def serve(grid: Grid, service: Service) -> None:
    """Plays the rounds that are wanted; `NoNodes` if there is nobody to play with."""
    if service.begin >= service.rounds:
        return
    nodes = Nodes(grid, service.identity, service.server.sizes)
    nodes.gather(service.wait_s)
    state = service.state
    for k in range(service.begin, service.rounds):
        done = played(service.server, nodes, state, k, service.deadline_s)
        state = done.state
        if not service.each(done):
            return
