"""Compiles the GPU kernels and executes what came out, with mutants for a control.

    python -m benchmarks.execute_ptx --chip=sm_80

Prints a line of JSON for each kernel and pair of widths: whether its PTX, executed by
`benchmarks.ptx`, computes the numbers that integer arithmetic does; and how many of the
programs with one instruction changed were found out. Needs the extra `gpu-compile`.
H100's int8 products (wgmma) are not modelled, and so left out.
"""

import json
import pathlib
import re
import tempfile

import numpy as np
from absl import app, flags

from . import compile_kernels, machine_code, ptx

WIDTHS = {
    "popcount xor": [(1, 1)],
    "popcount and": [(1, 2), (3, 5)],
    "int8": [(1, 2), (8, 8)],
}
# rows, words, columns: several blocks
SHAPES = {
    "popcount xor": (64, 3, 256),
    "popcount and": (64, 3, 256),
    "int8": (64, 4, 128),
}
BLOCKS = {"popcount xor": (32, 128), "popcount and": (32, 128), "int8": (64, 64)}
MUTATIONS = {
    "popc.b32": "not.b32",
    "xor.b32": "and.b32",
    "add.s32": "mul.lo.s32",
    "mul.wide.u32": "add.s64",
    "shl.b32": "shr.u32",
    "or.b32": "and.b32",
}
MUTANTS = 2  # of each mutation


def operands(name: str, bits: tuple[int, int]) -> list[np.ndarray]:
    """Random bit planes [k, rows, words] and [l, columns, words]."""
    rng, (rows, words, columns) = np.random.default_rng(0), SHAPES[name]
    sizes = (bits[0], rows, words), (bits[1], columns, words)
    return [rng.integers(-(2**31), 2**31, size, dtype=np.int32) for size in sizes]


def expected(name: str, planes: list[np.ndarray]) -> np.ndarray:
    """The kernel's integers, from unpacked bits."""
    unpacked = [
        np.unpackbits(x.view(np.uint8), axis=-1, bitorder="little").astype(np.int64)
        for x in planes
    ]
    if name == "popcount xor":
        a, b = (2 * x[0] - 1 for x in unpacked)
        return (a.shape[1] - a @ b.T) // 2
    a, b = (np.tensordot(2 ** np.arange(len(x)), x, 1) for x in unpacked)
    if name == "int8":
        a, b = (x - 128 * (len(p) == 8) for x, p in zip((a, b), planes))
    return a @ b.T


def executed(program: ptx.Program, name: str, planes: list[np.ndarray]) -> np.ndarray:
    """What the program writes, given the operands in the layout of its kernel."""
    a, b = planes
    if name != "int8":  # word-major
        a, b = (np.ascontiguousarray(x.swapaxes(1, 2)) for x in planes)
    (rows, _, columns), block = SHAPES[name], BLOCKS[name]
    grid = rows // block[0], columns // block[1]
    out = np.zeros((rows, columns), np.int32)
    return ptx.launch(program, grid, [a, b, out])[-1]


def mutants(text: str):
    """(what was changed, the text with that one instruction changed)."""
    for old, new in MUTATIONS.items():
        for place in list(re.finditer(rf"\b{re.escape(old)}\b", text))[:MUTANTS]:
            yield old, text[: place.start()] + new + text[place.end() :]


def survives(text: str, entry: str, name: str, planes, right: np.ndarray) -> bool:
    """Whether a mutant computes the right numbers all the same."""
    try:
        return np.array_equal(executed(ptx.parse(text, entry), name, planes), right)
    except IndexError:  # an address beyond the memory
        return False


def case(name: str, bits: tuple[int, int], text: str) -> dict:
    """One compiled kernel, executed; and its mutants."""
    entry, planes = f"{name.split()[0]}_product", operands(name, bits)
    right = expected(name, planes)
    result = executed(ptx.parse(text, entry), name, planes)
    fine = np.array_equal(result, right)
    tried = list(mutants(text))
    alive = [old for old, new in tried if survives(new, entry, name, planes, right)]
    return {
        "error": "" if fine else "other numbers",
        "mutants": len(tried),
        "survivors": alive,
    }


def main(argv: list[str]) -> None:
    """Compiles and executes everything for the target."""
    del argv
    target = compile_kernels.CHIP.value
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder)
        compile_kernels.prepare(target, folder)
        device = compile_kernels.topology(target).devices[0]
        for name, (kernel, _) in compile_kernels.kernels(target).items():
            for bits in WIDTHS[name]:
                compile_kernels.program(
                    kernel, target, device, SHAPES[name], bits, dump
                )
                entry = f"{name.split()[0]}_product"
                text = machine_code.ptx_of(dump, entry).read_text(encoding="utf-8")
                if "wgmma" in text:
                    continue
                row = {"target": target, "kernel": name, "bits": bits}
                print(json.dumps(row | case(name, bits, text)), flush=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
