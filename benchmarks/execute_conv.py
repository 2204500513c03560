"""Compiles the GPU convolution for a chip and executes what came out, with mutants.

    python -m benchmarks.execute_conv --chip=sm_90a

Prints a line of JSON for each convolution: the instructions and spills that the compiler
made, whether its PTX, executed by `benchmarks.ptx`, counts what the lax form counts, and
which of the programs with one instruction changed were not found out. Needs the extra
`gpu-compile`.
"""

import functools
import json
import pathlib
import tempfile

import numpy as np
from absl import app, flags

from . import compile_kernels, execute_ptx, machine_code, ptx

ENTRY, BLOCK = "popcount_conv", (32, 64)
# Images of 5 x 4 pixels, ragged tiles; stride, dilation, binary, bits.
CASES = [(1, 1, True, (1, 1)), (2, 2, False, (2, 3)), ((2, 1), (1, 2), False, (1, 2))]
IMAGES, WINDOW = (2, 5, 4, 2), (3, 3, 2, 70)


def text_of(kernel, device, operands, dump: pathlib.Path) -> str:
    """The PTX of a kernel of these operands; `dump` then holds its module only."""
    import jax
    from jax.sharding import SingleDeviceSharding

    from flq_jax.kernels import gpu

    here = SingleDeviceSharding(device)
    like = [jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here) for x in operands]
    for old in dump.glob("*.ptx"):
        old.unlink()
    with gpu.in_mind():
        lowered = jax.jit(kernel).trace(*like).lower(lowering_platforms=("cuda",))
    lowered.compile()
    return machine_code.ptx_of(dump, ENTRY).read_text(encoding="utf-8")


def executed(text: str, operands, shape) -> np.ndarray:
    """What the program writes for [n, ho, wo, o] results, without the tiles' rest."""
    windows, outputs = int(np.prod(shape[:3])), shape[3]
    grid = -(-windows // BLOCK[0]), -(-outputs // BLOCK[1])
    out = np.zeros((grid[0] * BLOCK[0], grid[1] * BLOCK[1]), np.int32)
    flat = [x.reshape(-1) for x in operands]
    done = ptx.launch(ptx.parse(text, ENTRY), grid, [*flat, out])[-1]
    return done[:windows, :outputs].reshape(shape)


def survives(text: str, operands, right: np.ndarray) -> bool:
    """Whether a mutant computes the right numbers all the same."""
    try:
        return np.array_equal(executed(text, operands, right.shape), right)
    except IndexError:  # an address beyond the memory
        return False


def main(argv: list[str]) -> None:
    """Compiles and executes every case."""
    del argv
    chip, rng = compile_kernels.CHIP.value, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        dump = pathlib.Path(folder)
        compile_kernels.prepare(chip, folder)
        from flq_jax.kernels import gpu_conv, popcount
        from flq_jax.kernels.geometry import resolve

        device = compile_kernels.topology(chip).devices[0]
        for stride, dilation, binary, bits in CASES:
            shapes = (bits[0], *IMAGES), (bits[1], *WINDOW)
            operands = [
                rng.integers(-(2**31), 2**31, s, dtype=np.int32) for s in shapes
            ]
            geometry = resolve(IMAGES[1:3], WINDOW[:2], stride, dilation)
            kernel = functools.partial(
                gpu_conv.popcount_conv, binary=binary, geometry=geometry, block=BLOCK
            )
            text = text_of(kernel, device, operands, dump)
            code = machine_code.of_gpu(dump, ENTRY, chip)
            right = np.asarray(popcount.conv_counts(*operands, binary, geometry))
            fine = np.array_equal(executed(text, operands, right.shape), right)
            tried = list(execute_ptx.mutants(text))
            alive = [old for old, new in tried if survives(new, operands, right)]
            kind = "popcount xor" if binary else "popcount and"
            error = machine_code.complaint(code, kind) or (
                "" if fine else "other numbers"
            )
            row = {"target": chip, "bits": bits, "error": error, "spills": code.spills}
            row |= {"instructions": code.instructions}
            print(
                json.dumps(row | {"mutants": len(tried), "survivors": alive}),
                flush=True,
            )


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
