"""Compiles the GPU convolutions for a chip and executes what came out, with mutants.

    python -m benchmarks.execute_conv --chip=sm_90a

Prints a line of JSON for each convolution: the instructions and spills that the compiler
made, whether its PTX, executed by `benchmarks.ptx`, counts what the lax form counts, and
which of the programs with one instruction changed were not found out. Windows fill more
than a tile: what a program computes of those beyond the last image is masked, so that no
change of it would be found out. Needs the extra `gpu-compile`.
"""

import functools
import itertools
import json
import pathlib
import tempfile

import numpy as np
from absl import app, flags

from . import compile_kernels, execute_ptx, machine_code

# kernel, stride, dilation, bits, window; images of 5 x 4 pixels, ragged tiles
CASES = [
    ("popcount xor", 1, 1, (1, 1), (3, 3)),
    ("popcount and", 2, 2, (2, 3), (3, 3)),
    ("popcount and", (2, 1), (1, 2), (1, 2), (3, 3)),
    ("int8", 2, (2, 1), (2, 3), (2, 2)),
]
IMAGES, WORDS, OUTPUTS = (3, 5, 4, 2), 2, 20
TILINGS = {"popcount": ((16, 16), 2), "int8": ((16, 32), 1)}


def kernel_of(room: str, name: str, geometry, tiling):
    """A room's convolution of that name, of packed images and weights."""
    from flq_jax.kernels import predicted

    _, convs = compile_kernels.modules(room)
    options = {"geometry": geometry, "tiling": predicted.Tiling(*tiling)}
    if name == "int8":
        return functools.partial(convs.int8_conv, **options)
    binary = name.endswith("xor")
    return functools.partial(convs.popcount_conv, binary=binary, **options)


def main(argv: list[str]) -> None:
    """Compiles and executes every case."""
    del argv
    chip, rng = compile_kernels.CHIP.value, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder)
        compile_kernels.prepare(chip, folder)
        from flq_jax.kernels import popcount
        from flq_jax.kernels.geometry import resolve

        device = compile_kernels.topology(chip).devices[0]
        works = itertools.product(compile_kernels.rooms(chip), CASES)
        for room, (name, stride, dilation, bits, window) in works:
            kind = name.split()[0]
            weights, entry = (bits[1], *window, WORDS, OUTPUTS), f"{kind}_conv"
            shapes = (bits[0], *IMAGES), weights
            x, w = (rng.integers(-(2**31), 2**31, s, dtype=np.int32) for s in shapes)
            geometry = resolve(IMAGES[1:3], window, stride, dilation)
            kernel = kernel_of(room, name, geometry, TILINGS[kind])
            compile_kernels.program(kernel, chip, device, shapes, dump)
            text = machine_code.ptx_of(dump, entry).read_text(encoding="utf-8")
            code = machine_code.of_gpu(dump, entry, chip)
            right = popcount.conv_counts(x, w, name.endswith("xor"), geometry)
            right = np.asarray(right).reshape(-1, OUTPUTS)
            row = {"target": chip, "room": room, "kernel": name, "bits": bits}
            row |= {"spills": code.spills, "instructions": code.instructions}
            mutations = execute_ptx.MUTATIONS_OF[room]
            row |= execute_ptx.proved(
                text, entry, TILINGS[kind], (x, w), right, mutations
            )
            row["error"] = machine_code.complaint(code, name) or row["error"]
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
