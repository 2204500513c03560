"""What a deployment came to: its bytes at every layer, and how it compares."""

import pathlib
from collections.abc import Mapping, Sequence

from flq_jax import wire

from ..assembly.build import Run
from ..process import console
from ..reading import run_files
from . import history
from .comparison import compared
from .proxy import Count

PUSHING = "push-messages", "push-object"
PULLING = "pull-messages", "pull-object"
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
    the app itself, which each node fetches once. Under TLS protobuf is not seen, -.

    Args:
        folder: the run's.
        counts: see `show`.
        before: rounds that earlier sessions had done.
    """
    lines = [line["bytes"] for line in history.lines(folder)[before:]]
    messages = sum(line["messages"] for line in lines)
    up, down = (sum(line[way] for line in lines) for way in ("up_frames", "down_frame"))
    whole = [c for path, c in counts.items() if not path.endswith(NOT_OF_ROUNDS)]
    pushed, pulled = (_of(counts, way) for way in (PUSHING, PULLING))
    overhead = wire.OVERHEAD_BYTES
    numbers = {
        "uplink": (
            up - overhead * messages,
            up,
            pushed.up_body,
            sum(c.up for c in whole),
        ),
        "downlink": (
            *(down - overhead * len(lines), down, pulled.down_body),
            sum(c.down for c in whole),
        ),
    }
    head = [f"bytes of {len(lines)} rounds", "payload", "frames", "protobuf", "TCP"]
    in_clear = pushed.calls > 0  # nobody but the ends reads what TLS carries
    return [
        head,
        *(
            [name, *(f"{n:,}" if i != 2 or in_clear else "-" for i, n in enumerate(ns))]
            for name, ns in numbers.items()
        ),
    ]


def _of(counts: Mapping[str, Count], names: Sequence[str]) -> Count:
    """The sum over these paths."""
    found = [counts.get(f"/v1/fleet/{name}", Count()) for name in names]
    return Count(*(sum(column) for column in zip(*found, strict=True)))
