"""What messages weigh on Flower: payload, frame, protobuf and TCP, by size and method.

    python -m benchmarks.flower_bytes

Of each method and size one message goes through Flower's processes, there and back, past
a proxy that counts. Protobuf is in the bodies of the requests that carry a message and
its parts, or of their answers; TCP is these requests or answers whole. What Flower sends
besides, by the second, is not a message's. Needs the extra [flower], some minutes, and
loopback.
"""

import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from absl import app, flags

from flq_jax import keys, wire
from flq_jax.experiments.deployment import bundle
from flq_jax.experiments.deployment.fleet import LOOPBACK, Fleet, Tls
from flq_jax.experiments.deployment.proxy import Count, Proxy
from flq_jax.experiments.process import console
from flq_jax.quantizers import (
    Quantizer,
    identity,
    sign,
    terngrad,
    top_k,
    uniform,
)

_SIZES = flags.DEFINE_list("sizes", ["7850", "101770", "1663370"], "Numbers d.")
PATIENCE_S = 120.0
# Flower's own way, the floats as an array; all others are frames.
OWN = "float32 array"
METHODS: dict[str, Callable[[int], Quantizer]] = {
    "identity()": lambda d: identity(),
    "uniform(8)": lambda d: uniform(8),
    "uniform(4)": lambda d: uniform(4),
    "terngrad()": lambda d: terngrad(),
    "sign()": lambda d: sign(),
    "top_k(d / 100)": lambda d: top_k(d // 100, d),
}
MODULE = """from flq_jax.benchmarks.on_flower import echo

client = echo.client
server = echo.server
"""


class Case(NamedTuple):
    """One message.

    Attributes:
        size: d.
        method: one of `METHODS`, or `OWN`.
        payload: bytes of it.
        data: its frame, or floats.
    """

    size: int
    method: str
    payload: int
    data: bytes


def main(argv: list[str]) -> None:
    """Prints the table."""
    del argv
    found = cases([int(d) for d in _SIZES.value])
    with tempfile.TemporaryDirectory(prefix="flq_jax-flower-") as home:
        console.table(rows(found, counted(found, pathlib.Path(home))))


def cases(sizes: list[int]) -> list[Case]:
    """Every method's message about f32[d] of a normal distribution."""
    found = []
    for d in sizes:
        x = jax.random.normal(keys.seed_key(d), (d,))
        found.append(Case(d, OWN, 4 * d, np.asarray(x, "<f4").tobytes()))
        for method, make in METHODS.items():
            quantizer = make(d)
            message = jax.jit(quantizer.encode)(keys.seed_key(1), x)
            frame = wire.pack(message, quantizer.layout(d))
            payload = len(frame) - wire.OVERHEAD_BYTES
            found.append(Case(d, method, payload, frame))
    return [*found, Case(sizes[-1], "silence", 0, b"")]


def counted(found: list[Case], home: pathlib.Path) -> list[dict[str, Count]]:
    """What crosses a node's port for each of them, by path."""
    folder = home / "cases"
    folder.mkdir()
    for i, case in enumerate(found):
        name = f"{i:03d}{'own' * (case.method == OWN)}.case"
        (folder / name).write_bytes(case.data)
    bundle.write(home / "app", {"folder": str(folder)}, MODULE)
    with Fleet(home, home / "logs", Tls()) as fleet:
        fleet.link()
        with Proxy(LOOPBACK, 0, fleet.port) as proxy:
            fleet.node(0, 1, proxy.port)
            fleet.submit(home / "app")
            return [_crossed(proxy, folder, i) for i in range(len(found))]


def _crossed(proxy: Proxy, folder: pathlib.Path, i: int) -> dict[str, Count]:
    """What crosses while message i goes there and back."""
    before = dict(proxy.counts)
    (folder / "go").write_text(str(i), encoding="utf-8")
    end = time.monotonic() + PATIENCE_S
    at = folder / "at"
    while not (at.exists() and at.read_text(encoding="utf-8") == str(i)):
        if time.monotonic() > end:
            raise TimeoutError(f"message {i}: no answer in {PATIENCE_S:g} s")
        time.sleep(0.1)
    return {
        path: Count(*np.subtract(count, before.get(path, Count())).tolist())
        for path, count in dict(proxy.counts).items()
    }


def rows(found: list[Case], counts: list[dict[str, Count]]) -> list[list[str]]:
    """The table: bytes, and how many times fewer cross than in Flower's own way."""
    table = [
        [
            *("d", "method", "payload", "frame", "protobuf up", "TCP up"),
            *("protobuf down", "TCP down", "fewer up"),
        ]
    ]
    whole = {}
    for case, count in zip(found, counts, strict=True):
        up, down = _of(count, "push"), _of(count, "pull")
        if case.method == OWN:
            whole[case.size] = up.up
        frame = 0 if case.method == OWN else len(case.data)
        numbers = case.payload, frame, up.up_body, up.up, down.down_body, down.down
        ratio = f"{whole[case.size] / up.up:.2f}"
        table.append(
            [f"{case.size:,}", case.method, *(f"{n:,}" for n in numbers), ratio]
        )
    return table


def _of(count: dict[str, Count], way: str) -> Count:
    """The sum over the paths that carry messages and their parts this way."""
    carrying = [count.get(f"/v1/fleet/{way}-{x}") for x in ("messages", "object")]
    return Count(*np.sum([c or Count() for c in carrying], axis=0).tolist())


if __name__ == "__main__":
    app.run(main)
