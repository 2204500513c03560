"""What a card does, part by part, each within a time of its own.

    python -m benchmarks.accelerator [--small] [--seconds=480] [--lines=card.jsonl]

A line of JSON as soon as a figure is there, a table last. First the ceilings: bytes a
second and operations a second of XLA's own products. Then whether low-bit products and
convolutions are exact, then how long they take: microseconds of a call, median of all
repeats, beside the floor that their bytes and operations allow at those ceilings. A part
that raises says so; one whose time has come is left out and named. `--small` is a
rehearsal on a CPU: tiny shapes, whose figures mean nothing.
"""

import functools
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from jax import lax
from rich.console import Console
from rich.table import Table

from flq_jax.kernels import as_codes, bit_conv, bit_matmul, pack

SECONDS = flags.DEFINE_float("seconds", 480.0, "All of it.", 1.0)
SMALL = flags.DEFINE_bool("small", False, "Tiny shapes.")
LINES = flags.DEFINE_string("lines", "", "A file for the JSON lines too.")
REPEATS = 9
DIMENSIONS = ("NHWC", "HWIO", "NHWC")
SHARES = {"ceilings": 0.1, "exactness": 0.3, "products": 0.35, "convolutions": 0.25}


def machine() -> dict:
    """The device's name, versions, and what nvidia-smi says of clocks, if it is there."""
    device = jax.devices()[0]
    row = {"part": "where", "work": f"{device.platform} {device.device_kind}"}
    row |= {"jax": jax.__version__, "python": sys.version.split()[0]}
    if shutil.which("nvidia-smi"):
        asked = "--query-gpu=name,driver_version,clocks.sm,clocks.mem,power.limit"
        done = subprocess.run(
            ["nvidia-smi", asked, "--format=csv,noheader"],
            capture_output=True, encoding="utf-8", check=False, timeout=20,
        )  # fmt: skip
        row["nvidia_smi"] = done.stdout.strip()
    return row


def microseconds(function: Callable, *operands) -> float:
    """Of a call of the compiled function: median of `REPEATS`, compiling apart."""
    program, taken = jax.jit(function), []
    jax.block_until_ready(program(*operands))
    begin = time.perf_counter()
    jax.block_until_ready(program(*operands))
    calls = max(1, min(200, int(0.02 / (time.perf_counter() - begin))))
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(calls):
            last = program(*operands)
        jax.block_until_ready(last)
        taken.append((time.perf_counter() - begin) / calls * 1e6)
    return statistics.median(taken)


def codes(seed: int, shape, bits: int):
    """Random signed codes on the device."""
    return as_codes(
        jax.random.randint(jax.random.key(seed), shape, 0, 2**bits), bits, True
    )


def ceilings(small: bool, ceiling: dict[str, float]) -> Iterator[dict]:
    """Bytes and operations a microsecond of a copy and of products; notes them."""
    size, n = (1 << 16, 128) if small else (1 << 28, 8192)
    us = microseconds(lambda x: x + 1, jnp.zeros(size, jnp.float32))
    ceiling["bytes"] = 8 * size / us
    yield {"work": "copy f32", "us": us, "GB/s": ceiling["bytes"] / 1e3}
    for name, dtype, wide in (
        ("bf16", jnp.bfloat16, jnp.float32),
        ("int8", jnp.int8, jnp.int32),
    ):
        a = jax.random.randint(jax.random.key(0), (n, n), -8, 8).astype(dtype)
        dot = functools.partial(lax.dot, preferred_element_type=wide)
        us = microseconds(dot, a, a.T)
        ceiling[name] = 2 * n**3 / us
        yield {"work": f"{name} dot {n}^3", "us": us, "TOPS": ceiling[name] / 1e6}


def exactness(small: bool, ceiling: dict[str, float]) -> Iterator[dict]:
    """Chosen products and convolutions against int64 arithmetic of the host."""
    del ceiling
    m, k, n, side = (5, 40, 7, 5) if small else (100, 1152, 70, 16)
    for bits in ((1, 1), (2, 3), (8, 8)):
        a, b = codes(0, (m, k), bits[0]), codes(1, (k, n), bits[1])
        result = jax.jit(bit_matmul)(a, pack(b, -2))
        right = np.asarray(a.values, np.int64) @ np.asarray(b.values, np.int64)
        wrong = int((np.asarray(result) != right).sum())
        yield {"work": f"{m}x{k}x{n} {bits}", "wrong": wrong}
        x, w = codes(2, (2, side, side, k), bits[0]), codes(3, (3, 3, k, n), bits[1])
        result = jax.jit(bit_conv)(x, w)
        padded = np.pad(
            np.asarray(x.values, np.int64), ((0, 0), (1, 1), (1, 1), (0, 0))
        )
        taps = np.asarray(w.values, np.int64)
        right = sum(
            padded[:, i : i + side, j : j + side] @ taps[i, j]
            for i in range(3)
            for j in range(3)
        )
        wrong = int((np.asarray(result) != right).sum())
        yield {"work": f"conv {side}x{side}x{k}x{n} {bits}", "wrong": wrong}


def kernels_here() -> tuple[str | None, ...]:
    """Back ends to be timed: the chosen one, XLA's, and the platform's own kernels."""
    platform = jax.default_backend()
    if platform == "cpu":
        return None, "lax_dot", "lax_popcount"
    own = "tpu" if platform == "tpu" else "gpu"
    return None, "lax_dot", f"{own}_popcount", f"{own}_int8"


def products(small: bool, ceiling: dict[str, float]) -> Iterator[dict]:
    """Matrices with packed columns, by every back end of the platform."""
    shapes = (
        [(8, 64, 16)]
        if small
        else [(4, 16384, 16384), (4096, 4608, 512), (1024, 1152, 128)]
    )
    for m, k, n in shapes:
        a, b = pack(codes(0, (m, k), 1)), pack(codes(1, (k, n), 1), -2)
        moved, work = (m * k + k * n) / 8 + 4 * m * n, 2 * m * k * n
        floor = max(moved / ceiling["bytes"], work / ceiling["int8"])
        for backend in kernels_here():
            us = microseconds(functools.partial(bit_matmul, backend=backend), a, b)
            name = f"{m}x{k}x{n} 1 bit {backend or 'chosen'}"
            yield {"work": name, "us": us, "floor_us": floor}


def convolutions(small: bool, ceiling: dict[str, float]) -> Iterator[dict]:
    """3 x 3 on packed images, by every back end, beside XLA's in bf16."""
    cases = (
        [(2, 4, 32, 8)]
        if small
        else [(64, 32, 128, 128), (64, 16, 256, 256), (64, 8, 512, 512)]
    )
    for batch, side, channels, outputs in cases:
        image, window = (batch, side, side, channels), (3, 3, channels, outputs)
        x, w = codes(0, image, 1), codes(1, window, 1)
        pixels = batch * side * side
        work = 18 * pixels * channels * outputs
        moved = (pixels * channels + 9 * channels * outputs) / 8 + 4 * pixels * outputs
        floor = max(moved / ceiling["bytes"], work / ceiling["int8"])
        name = f"conv {'x'.join(map(str, image))} to {outputs}"
        for backend in kernels_here():
            conv = functools.partial(bit_conv, backend=backend)
            us = microseconds(conv, pack(x), pack(w, -2))
            yield {"work": f"{name} {backend or 'chosen'}", "us": us, "floor_us": floor}
        plain = functools.partial(
            lax.conv_general_dilated,
            window_strides=(1, 1),
            padding="SAME",
            dimension_numbers=DIMENSIONS,
        )
        us = microseconds(plain, *(v.values.astype(jnp.bfloat16) for v in (x, w)))
        yield {"work": f"{name} bf16", "us": us, "floor_us": floor}


PARTS = {
    "ceilings": ceilings,
    "exactness": exactness,
    "products": products,
    "convolutions": convolutions,
}


def card(
    small: bool, seconds: float, parts=None, clock=time.perf_counter
) -> Iterator[dict]:
    """Every row, as it is measured; a part ends at the first row after its time.

    Args:
        small: whether shapes are tiny.
        seconds: of all parts; each has its share, and what those before left over.
        parts: name -> part; None: `PARTS`.
        clock: seconds.
    """
    parts, begin, due = parts or PARTS, clock(), 0.0
    ceiling = {"bytes": 3e6, "int8": 1.5e9}  # an H100's, about, should measuring fail
    for name, part in parts.items():
        due += SHARES[name] * seconds
        try:
            for row in part(small, ceiling):
                yield {"part": name} | row
                if clock() - begin > due:
                    yield {"part": name, "work": "the rest", "left_out": "out of time"}
                    break
        except Exception as error:  # noqa: BLE001 a part that fails must not end the card
            told = f"{type(error).__name__}: {str(error).strip()[:160]}"
            yield {"part": name, "work": "the rest", "error": told}


def main(argv: list[str]) -> None:
    """Prints lines as they come, and the table."""
    del argv
    table = Table(title="accelerator", title_justify="left")
    for column in ("part", "work", "us", "floor", "over", "note"):
        table.add_column(column)
    lines = [machine()]
    print(json.dumps(lines[0]), flush=True)
    for row in card(SMALL.value, SECONDS.value):
        lines.append(row)
        print(json.dumps(row), flush=True)
        us, floor = row.get("us"), row.get("floor_us")
        cells = [
            f"{v:.1f}" if v else ""
            for v in (us, floor, us / floor if us and floor else None)
        ]
        known = {"part", "work", "us", "floor_us"}
        note = ", ".join(
            f"{key} {value}" for key, value in row.items() if key not in known
        )
        table.add_row(row["part"], row["work"], *cells, note)
    if LINES.value:
        text = "\n".join(map(json.dumps, lines)) + "\n"
        pathlib.Path(LINES.value).write_text(text, encoding="utf-8")
    Console(width=140).print(table)


if __name__ == "__main__":
    app.run(main)
