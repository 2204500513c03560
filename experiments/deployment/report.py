"""What a deployment came to: its bytes at every layer, and how it compares."""

import pathlib
from collections.abc import Mapping

from flq_jax import wire

from ..assembly.build import Run
from ..process import console
from ..reading import run_files
from . import history
from .comparison import compared
from .proxy import Count

CARRYING = "push-messages", "push-object", "pull-messages", "pull-object"
NOT_OF_ROUNDS = "get-fab", "get-run"


def show(
    run: Run, folder: pathlib.Path, counts: Mapping[str, Count], before: int
) -> bool:
    """Prints it: whether the model is that of the simulation, bit for bit.

    Args:
        run: as built for a simulation.
        folder: the run's.
        counts: what crossed the nodes' port, by path; empty if nothing was played.
        before: see `layers`.
    """
    summary = run_files.summary(folder / "summary.json")
    console.summary_table(summary)
    if counts:
        console.table(layers(folder, counts, before))
    found = compared(run, folder)
    equal = found.by_client == 0.0
    console.tell(
        f"{found.rounds} rounds simulated with the same clients silent, one at a time: "
        + (
            "the models are equal bit for bit"
            if equal
            else f"the models differ by {found.by_client:g} at most"
        )
    )
    if found.together is not None:
        console.tell(
            f"simulated as flq run does, many at a time: {found.together:g} apart at most"
        )
    return equal


def layers(
    folder: pathlib.Path, counts: Mapping[str, Count], before: int
) -> list[list[str]]:
    """The bytes of this session's rounds, either way, from the payload to TCP.

    Protobuf is what lies in the bodies of the requests that carry messages and their
    parts, and of the answers to them; TCP is all that went over the nodes' port, but for
    the app itself, which each node fetches once.

    Args:
        folder: the run's.
        counts: see `show`.
        before: rounds that earlier sessions had done.
    """
    lines = [line["bytes"] for line in history.lines(folder)[before:]]
    messages = sum(line["messages"] for line in lines)
    frames = (
        sum(line["up_frames"] for line in lines),
        sum(line["down_frame"] for line in lines),
    )
    overhead = wire.OVERHEAD_BYTES
    carried = {name: _at(counts, name) for name in CARRYING}
    whole = [c for path, c in counts.items() if not path.endswith(NOT_OF_ROUNDS)]
    up = [
        frames[0] - overhead * messages,
        frames[0],
        sum(carried[name].up_body for name in CARRYING[:2]),
        sum(c.up for c in whole),
    ]
    down = [
        frames[1] - overhead * len(lines),
        frames[1],
        sum(carried[name].down_body for name in CARRYING[2:]),
        sum(c.down for c in whole),
    ]
    head = [f"bytes of {len(lines)} rounds", "payload", "frames", "protobuf", "TCP"]
    named = {"uplink": up, "downlink": down}
    return [head, *([name, *(f"{n:,}" for n in ns)] for name, ns in named.items())]


def _at(counts: Mapping[str, Count], name: str) -> Count:
    return counts.get(f"/v1/fleet/{name}", Count())
