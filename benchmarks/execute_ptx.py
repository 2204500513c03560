"""Compiles the GPU kernels and executes what came out, with mutants for a control.

    python -m benchmarks.execute_ptx --chip=sm_80

Prints a line of JSON for each kernel and pair of widths: whether its PTX, executed by
`benchmarks.ptx`, computes the numbers that integer arithmetic does; and how many of the
programs with one instruction changed were found out. Needs the extra `gpu-compile`.
H100's int8 products of 64 rows and more (wgmma) are not modelled: tiles here have 16.
"""

import itertools
import json
import pathlib
import re
import tempfile

import numpy as np
from absl import app, flags

from . import compile_kernels, machine_code, ptx

# kernel, bits, (rows, words, columns): of several tiles, or shared ones
CASES = [
    ("popcount xor", (1, 1), (20, 17, 20)),
    ("popcount and", (1, 2), (20, 17, 20)),
    ("popcount and", (3, 5), (20, 3, 20)),
    ("int8", (1, 2), (16, 35, 64)),
    ("int8", (8, 8), (16, 4, 64)),
]
MUTATIONS = {
    "popc.b32": "not.b32",
    "xor.b32": "and.b32",
    "add.s32": "mul.lo.s32",
    "mul.wide.u32": "add.s64",
    "shl.b32": "shr.u32",
    "or.b32": "and.b32",
}
OWN_MUTATIONS = MUTATIONS | {
    "and.b32": "or.b32",
    "mul.wide.s32": "add.s64",
    "mul.lo.s32": "add.s32",
    "mad.lo.s32": "min.s32",
    "div.u32": "rem.u32",
    "rem.u32": "div.u32",
    "shr.u32": "shl.b32",
    "min.u32": "or.b32",
    "setp.lt.u32": "setp.ge.u32",
    "setp.lt.and.u32": "setp.lt.or.u32",
    "setp.ge.u32": "setp.ne.u32",
}
MUTATIONS_OF = {"gpu": MUTATIONS, "ptx": OWN_MUTATIONS}
MUTANTS = 2  # of each mutation


def tiling_of(name: str, shape, bits):
    """The tiling that the kernel takes by itself: block, splits."""
    from flq_jax.kernels import predicted

    rows, words, columns = shape
    if name == "int8":
        return predicted.int8_tiling(rows, columns, bits, -(-words // predicted.CHUNK))
    return predicted.popcount_tiling(rows, columns, bits[0] * words)


def operands(shape, bits: tuple[int, int]) -> list[np.ndarray]:
    """Random bit planes [k, rows, words] and [l, words, columns]."""
    rng, (rows, words, columns) = np.random.default_rng(0), shape
    sizes = (bits[0], rows, words), (bits[1], words, columns)
    return [rng.integers(-(2**31), 2**31, size, dtype=np.int32) for size in sizes]


def expected(name: str, planes: list[np.ndarray]) -> np.ndarray:
    """The kernel's integers, from unpacked bits."""
    by_rows = planes[0], np.ascontiguousarray(planes[1].swapaxes(1, 2))
    unpacked = [
        np.unpackbits(x.view(np.uint8), axis=-1, bitorder="little").astype(np.int64)
        for x in by_rows
    ]
    if name == "popcount xor":
        a, b = (2 * x[0] - 1 for x in unpacked)
        return (a.shape[1] - a @ b.T) // 2
    a, b = (np.tensordot(2 ** np.arange(len(x)), x, 1) for x in unpacked)
    if name == "int8":
        a, b = (x - 128 * (len(p) == 8) for x, p in zip((a, b), planes))
    return a @ b.T


def executed(text: str, entry: str, tiling, operands, shape) -> np.ndarray:
    """What a program of packed operands writes for a result [m, n], its parts added up.

    Args:
        text: PTX.
        entry: the kernel in it.
        tiling: the kernel's `predicted.Tiling`.
        operands: i32 arrays.
        shape: m, n.
    """
    (rows, columns), (block, splits) = shape, tiling
    grid = -(-rows // block[0]), -(-columns // block[1]), splits
    out = np.zeros((splits, grid[0] * block[0], grid[1] * block[1]), np.int32)
    flat = [x.reshape(-1) for x in operands]
    parts = ptx.launch(ptx.parse(text, entry), grid, [*flat, out])[-1]
    return parts.sum(0)[:rows, :columns]


def mutants(text: str, mutations=MUTATIONS):
    """(what was changed, the text with that one instruction changed)."""
    for old, new in mutations.items():
        for place in list(re.finditer(rf"\b{re.escape(old)}\b", text))[:MUTANTS]:
            yield old, text[: place.start()] + new + text[place.end() :]


def proved(
    text: str, entry: str, tiling, operands, right: np.ndarray, mutations=MUTATIONS
) -> dict:
    """Whether a program [m, n] computes the right numbers, and its mutants do not."""

    def is_right(text: str) -> bool:
        try:
            result = executed(text, entry, tiling, operands, right.shape)
        except (IndexError, TimeoutError):  # beyond the memory, or a loop without end
            return False
        return np.array_equal(result, right)

    tried = list(mutants(text, mutations))
    return {
        "error": "" if is_right(text) else "other numbers",
        "mutants": len(tried),
        "survivors": [old for old, new in tried if is_right(new)],
    }


def main(argv: list[str]) -> None:
    """Compiles and executes everything for the target."""
    del argv
    target = compile_kernels.CHIP.value
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder)
        compile_kernels.prepare(target, folder)
        device = compile_kernels.topology(target).devices[0]
        works = itertools.product(compile_kernels.rooms(target), CASES)
        for room, (name, bits, shape) in works:
            entry, planes = f"{name.split()[0]}_product", operands(shape, bits)
            kernel, _ = compile_kernels.kernels(room)[name]
            sizes = [x.shape for x in planes]
            compile_kernels.program(kernel, target, device, sizes, dump)
            text = machine_code.ptx_of(dump, entry).read_text(encoding="utf-8")
            tiling, right = tiling_of(name, shape, bits), expected(name, planes)
            row = {"target": target, "room": room, "kernel": name, "bits": bits}
            row |= proved(text, entry, tiling, planes, right, MUTATIONS_OF[room])
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
