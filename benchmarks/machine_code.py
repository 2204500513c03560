"""What compilers made of a kernel: its instructions and its spills, as they dump them."""

import pathlib
import re
import shutil
import subprocess
import sysconfig
from typing import NamedTuple

# What a kernel is to consist of, and not, as patterns of whole instructions.
PTX = {
    "popcount": r"\bpopc\.b32",
    "xor": r"\bxor\.b32",
    "and": r"\band\.b32",
    "int8": r"\b(?:mma\.sync|wgmma\.mma_async)\.\S*s8\.s8",
}
BUNDLES = {
    "popcount": r"= vpcnt\b",
    "xor": r"= vxor\b",
    "and": r"= vand\b",
    "int8": r"\bvmatmul\.\S*s8\b",
}
# Of vector registers; the indices of the loop over tiles, scalars, may wait in SMEM.
VECTOR_SPILL = r"\[vmem:[^]]*_spill"


class Code(NamedTuple):
    """What stands in a kernel's machine code.

    Attributes:
        instructions: popcounts, xors, ands and int8 products, as they are written.
        spills: bytes (GPU) or instructions (TPU) that move vector registers to memory
            and back.
    """

    instructions: dict[str, int]
    spills: int


def counted(text: str, patterns: dict[str, str]) -> dict[str, int]:
    """How often each pattern stands in a listing."""
    return {name: len(re.findall(like, text)) for name, like in patterns.items()}


def ptx_of(dump: pathlib.Path, kernel: str) -> pathlib.Path:
    """The file, among those XLA dumped, with a kernel's PTX; ValueError without one."""
    found = [
        path
        for path in dump.glob("*.ptx")
        if re.search(rf"\.entry {kernel}\b", path.read_text(encoding="utf-8"))
    ]
    if not found:
        raise ValueError(f"ptx_of: {dump} must hold the PTX of {kernel}, got none")
    return found[0]


def of_gpu(dump: pathlib.Path, kernel: str, chip: str) -> Code:
    """From XLA's dumped PTX of one module, assembled once more to hear of spills.

    Raises:
        ValueError: no PTX in `dump` has an entry of that name, or `ptxas` finds none.
    """
    path = ptx_of(dump, kernel)
    said = subprocess.run(
        [ptxas(), "-v", f"--gpu-name={chip}", str(path), "-o", str(dump / "cubin")],
        capture_output=True, encoding="utf-8", check=True,
    ).stderr  # fmt: skip
    spilt = re.findall(r"(\d+) bytes spill (?:stores|loads)", said)
    return Code(counted(path.read_text(encoding="utf-8"), PTX), sum(map(int, spilt)))


def ptxas() -> str:
    """The assembler: on the path, or of the wheel that the extra `gpu-compile` installs."""
    wheel = pathlib.Path(
        sysconfig.get_path("purelib"), "nvidia", "cu13", "bin", "ptxas"
    )
    found = shutil.which("ptxas") or shutil.which(wheel)
    if found is None:
        raise ValueError(f"ptxas: must be on the path or {wheel}, got none")
    return found


def of_tpu(dump: pathlib.Path, kernel: str) -> Code:
    """From the bundles that libtpu dumped of one module.

    Raises:
        ValueError: there are none of that kernel in `dump`.
    """
    found = [
        path
        for path in dump.glob(f"*{kernel}*-final_bundles.txt")
        if "schedule-analysis" not in path.name
    ]
    if not found:
        raise ValueError(f"of_tpu: needs the bundles of {kernel}, got none in {dump}")
    listing = found[0].read_text(encoding="utf-8")
    return Code(counted(listing, BUNDLES), len(re.findall(VECTOR_SPILL, listing)))


def complaint(code: Code, name: str) -> str:
    """What is wrong with the code of "popcount xor", "popcount and" or "int8", or ""."""
    has = code.instructions
    if name == "int8":
        fine = has["int8"] and not has["popcount"]
        return "" if fine else f"no int8 products, or popcounts as well: {has}"
    term = name.split()[1]
    fine = has["popcount"] and has[term] >= has["popcount"] and not has["int8"]
    return "" if fine else f"not a popcount to each {term}: {has}"
