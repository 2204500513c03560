"""Compiles one back end's kernels for an accelerator that is not there.

    python -m benchmarks.compile_kernels --chip=v5e

Prints a line of JSON for each kernel and shape: the instructions that the compiler made
of it, and what is wrong with them, or why it refused. Meant to run in a process of its
own, for compilers may abort: see `benchmarks.kernel_proof`. TPU targets need libtpu
(extra `tpu-compile`), GPU targets the CUDA plugin and ptxas (extra `gpu-compile`).
"""

import functools
import json
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from absl import app, flags

from . import machine_code

CHIP = flags.DEFINE_enum("chip", None, ["v5e", "v6e", "sm_80", "sm_90a"], "Chip.")
FEW_ONLY = flags.DEFINE_bool("few", False, "One of the seven shapes.")
GPU_NAMES = {"sm_80": "NVIDIA A100", "sm_90a": "NVIDIA H100"}
TPU_TOPOLOGIES = {"v5e": "v5e:1x1", "v6e": "v6e:1x1"}

# rows, words, columns: windows of 3 x 3 convolutions on 32x32x128, 16x16x256 and 8x8x512
# (batch 1; the last at batch 128 too), of the small CNN's, and a few rows of dense ones.
SHAPES = [
    (1024, 36, 128),
    (256, 72, 256),
    (64, 144, 512),
    (8192, 144, 512),
    (196, 9, 16),
    (49, 9, 16),
    (4, 128, 4096),
]
WIDTHS = [(1, 1), (1, 2), (8, 8)]
FEW = SHAPES[1:2]
# images n, h, w, words; window; outputs; stride: of ResNets, and a depthwise one's group
CONVOLUTIONS = [
    ((2, 16, 16, 8), (3, 3), 256, 1),
    ((2, 32, 32, 4), (3, 3), 128, 1),
    ((8, 14, 14, 8), (3, 3), 512, 2),
    ((8, 56, 56, 2), (1, 1), 128, 2),
    ((1, 224, 224, 1), (7, 7), 64, 2),
    ((8, 7, 7, 16), (3, 3), 512, 1),
    ((2, 9, 11, 1), (5, 5), 1, (2, 1)),
]


class Case(NamedTuple):
    """One compilation: a kernel of words at a shape.

    Attributes:
        room: "gpu", "ptx" or "tpu", the first part of its back end.
        name: "popcount xor", "popcount and" or "int8", and "conv" after it.
        kernel: of packed operands; `interpret` is its option.
        sizes: shapes of both, with as many planes as `bits`.
        bits: of both.
    """

    room: str
    name: str
    kernel: Callable
    sizes: tuple[tuple[int, ...], tuple[int, ...]]
    bits: tuple[int, int]

    @property
    def entry(self) -> str:
        """The kernel's name in its module."""
        kind = "conv" if self.name.endswith("conv") else "product"
        return f"{self.name.split()[0]}_{kind}"


def prepare(target: str, dump: str) -> None:
    """Sets what the compilers read when they are loaded."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    if target in TPU_TOPOLOGIES:
        os.environ |= {
            "TPU_SKIP_MDS_QUERY": "1",
            "TPU_WORKER_HOSTNAMES": "localhost",
            "TPU_LOG_DIR": "disabled",
            "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        }
        os.environ["LIBTPU_INIT_ARGS"] = (
            f"--xla_jf_dump_to={dump} --xla_jf_dump_llo_text=true"
        )
    else:
        os.environ["XLA_FLAGS"] = f"--xla_dump_to={dump} --xla_dump_emitter_re=ptx"


def topology(target: str):
    """A topology of one device."""
    from jax.experimental import topologies

    if target in TPU_TOPOLOGIES:
        return topologies.get_topology_desc(
            platform="tpu",
            topology_name=TPU_TOPOLOGIES[target],
            chips_per_host_bounds=(1, 1, 1),
        )
    config = pathlib.Path(__file__).parent / "targets" / f"{target}.txtpb"
    return topologies.get_topology_desc(
        platform="cuda",
        target_config=config.read_text(encoding="utf-8"),
        topology="1x1x1",
    )


def rooms(target: str) -> tuple[str, ...]:
    """Whose kernels a target has."""
    return ("tpu",) if target in TPU_TOPOLOGIES else ("gpu", "ptx")


def modules(room: str):
    """The modules with a room's products and convolutions."""
    from flq_jax.kernels import gpu, gpu_conv, gpu_ptx, tpu, tpu_conv

    pairs = {"gpu": (gpu, gpu_conv), "ptx": (gpu_ptx, gpu_ptx), "tpu": (tpu, tpu_conv)}
    return pairs[room]


def kernels(room: str):
    """name -> (function of words, whether it takes one plane of each only)."""
    products, _ = modules(room)
    popcount = products.popcount_product
    return {
        "popcount xor": (functools.partial(popcount, binary=True), True),
        "popcount and": (functools.partial(popcount, binary=False), False),
        "int8": (products.int8_product, False),
    }


def cases(target: str, few: bool) -> Iterator[Case]:
    """Every compilation, or those at one shape of products and one of convolutions."""
    for room in rooms(target):
        for name, (kernel, one_plane) in kernels(room).items():
            for m, p, n in FEW if few else SHAPES:
                for bits in WIDTHS[:1] if one_plane else WIDTHS[1:]:
                    sizes = (bits[0], m, p), (bits[1], p, n)
                    yield Case(room, name, kernel, sizes, bits)
        for name, conv, bits in convolutions(room):
            for image, window, outputs, stride in CONVOLUTIONS[: 1 if few else None]:
                sizes = (bits[0], *image), (bits[1], *window, image[-1], outputs)
                geometry = resolved(image, window, stride)
                kernel = functools.partial(conv, geometry=geometry)
                yield Case(room, f"{name} conv", kernel, sizes, bits)


def convolutions(room: str):
    """(name, convolution of words, bits)."""
    _, convs = modules(room)
    popcount = convs.popcount_conv
    return [
        ("popcount xor", functools.partial(popcount, binary=True), (1, 1)),
        ("popcount and", functools.partial(popcount, binary=False), (1, 2)),
        ("int8", convs.int8_conv, (1, 2)),
    ]


def resolved(image, window, stride):
    """The geometry of a case, padded to the same size."""
    from flq_jax.kernels.geometry import resolve

    return resolve(image[1:3], window, stride)


def program(kernel, target: str, device, sizes, dump: pathlib.Path) -> None:
    """Compiles one kernel; the compiler's files are the only ones in `dump` then.

    The PTX that it hands on as it is lies there, too: XLA leaves it to the driver.
    """
    import jax
    import jax.numpy as jnp
    from jax.sharding import SingleDeviceSharding

    from flq_jax.kernels import gpu

    here = SingleDeviceSharding(device)
    like = [jax.ShapeDtypeStruct(size, jnp.int32, sharding=here) for size in sizes]
    for old in filter(pathlib.Path.is_file, dump.iterdir()):
        old.unlink()
    platform = "tpu" if target in TPU_TOPOLOGIES else "cuda"
    with gpu.in_mind(GPU_NAMES.get(target, "NVIDIA H100")):  # a TPU's does not look
        lowered = jax.jit(kernel).trace(*like).lower(lowering_platforms=(platform,))
    lowered.compile()
    for number, text in enumerate(handed_on(lowered)):
        (dump / f"handed_on_{number}.ptx").write_text(text, encoding="utf-8")


def handed_on(lowered) -> list[str]:
    """The PTX in a lowered program's calls."""
    from jaxlib.mlir import ir

    from flq_jax.kernels import gpu_ptx

    texts = []

    def look(operation):
        named = operation.attributes.get("call_target_name")
        if named is not None and ir.StringAttr(named).value == gpu_ptx.CALL:
            config = ir.DictAttr(operation.attributes["mhlo.backend_config"])
            texts.append(ir.StringAttr(config["kernel_data"]).value)
        return ir.WalkResult.ADVANCE

    lowered.compiler_ir("stablehlo").operation.walk(look)
    return texts


def compiled(case: Case, target: str, device, dump) -> dict:
    """What came of one kernel: its instructions, or what is wrong with it."""
    begin = time.perf_counter()
    try:
        program(case.kernel, target, device, case.sizes, dump)
        code = (
            machine_code.of_tpu(dump, case.entry)
            if target in TPU_TOPOLOGIES
            else machine_code.of_gpu(dump, case.entry, target)
        )
    except Exception as error:  # noqa: BLE001 compilers raise what they like
        return {"error": str(error).strip().splitlines()[0][:200]}
    error = machine_code.complaint(code, case.name.removesuffix(" conv"))
    if code.spills:
        error = f"spills {code.spills}"
    return {
        "error": error,
        "instructions": code.instructions,
        "spills": code.spills,
        "seconds": round(time.perf_counter() - begin, 2),
    }


def main(argv: list[str]) -> None:
    """Compiles everything for the target."""
    del argv
    target = CHIP.value
    with tempfile.TemporaryDirectory() as dump:
        prepare(target, dump)
        device, folder = topology(target).devices[0], pathlib.Path(dump)
        for case in cases(target, FEW_ONLY.value):
            row = {"target": target, "room": case.room, "kernel": case.name}
            row |= {"shape": case.sizes}
            row |= compiled(case, target, device, folder)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    flags.mark_flag_as_required("chip")
    app.run(main)
