"""Executes the PTX that a compiler emitted, on the host: numpy in place of a GPU.

All threads of a block go in lockstep, block after block. It shows that data flow and
indexing of the compiled kernel are right; of timing, of races between threads and of
ptxas it says nothing. Only the instructions of our kernels are known (PTX ISA 9.0,
"Instruction Set"; the layouts of fragments from its "Matrix instructions"): any other
raises, as does a branch on which threads differ.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .ptx_arithmetic import arithmetic

WARP = 32
ENDLESS = 30_000  # instructions that no block of our small cases comes near
NOTHING = ("bar", "griddepcontrol", "cp.async.commit_group", "cp.async.wait_group")
COMPARISONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
JOINED = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


class Instruction(NamedTuple):
    """`@guard opcode operands`; a guard that starts with "!" is a negation."""

    guard: str
    opcode: str
    operands: list[str]

    @property
    def type(self) -> tuple[int, bool]:
        """Bits, and whether they are signed, of the opcode's last type."""
        kinds = re.findall(r"\.([bsu])(8|16|32|64)\b", self.opcode)
        if self.opcode.endswith(".pred"):
            return 1, False
        if not kinds:
            raise NotImplementedError(self.opcode)
        return int(kinds[-1][1]), kinds[-1][0] == "s"


class Program(NamedTuple):
    """One entry of a PTX module."""

    params: list[str]
    threads: int
    code: list[Instruction]
    labels: dict[str, int]


def parse(text: str, entry: str) -> Program:
    """The program of an entry; ValueError if the module has none of that name."""
    text = re.sub(r"//[^\n]*", "", text)
    found = re.search(
        rf"\.entry {entry}\s*\((.*?)\)(.*?)\n\{{(.*)\n\}}", text, re.DOTALL
    )
    if not found:
        raise ValueError(f"parse: the PTX must have an entry {entry}, got none")
    params = re.findall(rf"\b{entry}_param_\d+", found[1])
    threads = int(re.search(r"\.reqntid (\d+)", found[2])[1])
    code, labels = [], {}
    for statement in re.split(r";|(?<=:)\s", found[3]):
        statement = statement.strip()
        if statement.endswith(":"):
            labels[statement[:-1]] = len(code)
        elif statement and not statement.startswith((".reg", ".loc", ".pragma")):
            guard, rest = re.match(
                r"(?:@(!?%p\d+)\s+)?(.*)", statement, re.DOTALL
            ).groups()
            opcode, _, operands = rest.replace("\t", " ").partition(" ")
            places = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^\s,]+", operands)
            code.append(Instruction(guard or "", opcode, places))
    return Program(params, threads, code, labels)


def launch(
    program: Program, grid: Sequence[int], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    """Runs a grid of blocks, of up to three axes, on the parameters' arrays.

    Returns:
        what stands in the arrays afterwards.

    Raises:
        IndexError: a thread reads or writes beside the arrays, be it for nothing.
        TimeoutError: a block executes more than `ENDLESS` instructions, as one does that
            never leaves its loop.
    """
    starts, end = [], 256
    for array in arrays:
        starts.append(end)
        end += -(-array.nbytes // 256) * 256 + 4096
    memory = np.zeros(end, np.uint8)
    spans = [slice(at, at + x.nbytes) for at, x in zip(starts, arrays)]
    for span, array in zip(spans, arrays):
        memory[span] = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
    addresses, owned = dict(zip(program.params, starts)), np.zeros(end, bool)
    for span in spans:
        owned[span] = True
    for place in itertools.product(*map(range, grid)):
        Block(program, memory, addresses, place, owned).run()
    return [memory[s].view(a.dtype).reshape(a.shape) for s, a in zip(spans, arrays)]


class Block:
    """The threads of one block: registers u64[threads] by name, and shared memory."""

    def __init__(
        self, program: Program, memory, addresses, place: Sequence[int], owned=True
    ):
        self.program, self.addresses, self.owned = (
            program,
            addresses,
            np.broadcast_to(owned, memory.shape),
        )
        self.memory = {"global": memory, "shared": np.zeros(1 << 18, np.uint8)}
        threads = np.arange(program.threads, dtype=np.uint64)
        self.registers = {
            "%tid.x": threads,
            "global_smem": np.zeros_like(threads),
        }
        for axis, at in zip("xyz", place):
            self.registers[f"%ctaid.{axis}"] = np.full_like(threads, at)

    def run(self) -> None:
        """From the first instruction to the return."""
        here, code, left = 0, self.program.code, ENDLESS
        while here < len(code):
            instruction, here, left = code[here], here + 1, left - 1
            if not left:
                raise TimeoutError(f"a block must end within {ENDLESS} instructions")
            active = self.active(instruction.guard)
            if instruction.opcode.startswith("bra"):
                if active.any() != active.all():
                    raise NotImplementedError("threads differ on a branch")
                if active.all():
                    here = self.program.labels[instruction.operands[0]]
            elif instruction.opcode == "ret":
                return
            elif not instruction.opcode.startswith(NOTHING):
                self.execute(instruction, active)

    def active(self, guard: str) -> np.ndarray:
        """Which threads an instruction concerns, bool[threads]."""
        if not guard:
            return np.ones(self.program.threads, bool)
        holds = self.registers[guard.lstrip("!")].astype(bool)
        return ~holds if guard[0] == "!" else holds

    def read(self, operand: str, bits: int = 64, signed: bool = False) -> np.ndarray:
        """An operand's low bits: u64[threads], or i64[threads] if they are signed."""
        if operand in self.registers:
            value = self.registers[operand]
        else:
            number = int(operand.rstrip("U"), 0) % (1 << 64)
            value = np.full(self.program.threads, number, np.uint64)
        left = np.uint64(64 - bits)
        return (value << left).view(np.int64 if signed else np.uint64) >> (
            left.astype(np.int64) if signed else left
        )

    def write(self, register: str, value, active: np.ndarray, bits: int = 64) -> None:
        """The low bits of a value into a register of the active threads."""
        value = np.asarray(value).astype(np.uint64) & np.uint64((1 << bits) - 1)
        old = self.registers.get(register, np.zeros_like(value))
        self.registers[register] = np.where(active, value, old)

    def address(self, operand: str) -> np.ndarray:
        """Bytes that `[register + offset]` points to, i64[threads]."""
        base, offset = re.match(r"\[\s*([%\w.]+)\s*(?:\+\s*(-?\d+))?", operand).groups()
        return self.read(base, signed=True) + int(offset or 0)

    def execute(self, instruction: Instruction, active: np.ndarray) -> None:
        """Anything but a branch."""
        name, *rest = instruction.opcode.split(".")
        to, *operands = instruction.operands
        if name == "ld" and rest[0].startswith("param"):
            self.write(to, self.addresses[operands[0].strip("[] ")], active)
        elif name in ("ld", "st"):
            self.move(instruction, active)
        elif instruction.opcode.startswith("cp.async"):
            self.copy(to, *operands, active=active)
        elif name == "ldmatrix":
            self.load_matrices(to, operands[0], "trans" in rest)
        elif name == "stmatrix" and "trans" not in rest:
            self.store_matrices(to, operands[0])
        elif name == "mma":
            self.multiply(instruction)
        elif name == "setp":
            values = [self.read(x, *instruction.type) for x in operands[:2]]
            found = COMPARISONS[rest[0]](*values)
            if rest[1] in JOINED:
                found = JOINED[rest[1]](found, self.active(operands[2]))
            self.write(to, found, active, 1)
        elif name == "selp":
            yes, no = (self.read(x, *instruction.type) for x in operands[:2])
            chosen = np.where(self.read(operands[2]).astype(bool), yes, no)
            self.write(to, chosen, active, instruction.type[0])
        else:
            bits = instruction.type[0]
            values = [self.read(x, *instruction.type) for x in operands]
            if name == "mul" and rest[0] == "wide":
                bits *= 2
            elif name == "cvt":
                bits = int(re.search(r"\d+", rest[-2])[0])
            self.write(to, arithmetic(name, rest, bits, values), active, bits)

    def move(self, instruction: Instruction, active: np.ndarray) -> None:
        """Loads or stores one register or a vector of them."""
        name, space = instruction.opcode.split(".")[:2]
        size, memory = instruction.type[0] // 8, self.memory[space]
        there, here = instruction.operands[:: 1 if name == "st" else -1]
        place, registers = self.address(there)[active], _listed(here)
        for i, register in enumerate(registers):
            where = place[:, None] + size * i + np.arange(size)
            if space == "global":
                self.require_owned(where)
            if name == "st":
                data = self.read(register)[active].view(np.uint8).reshape(-1, 8)
                memory[where] = data[:, :size]
                continue
            data = np.zeros((self.program.threads, 8), np.uint8)
            data[active, :size] = memory[where]
            self.write(register, data.view(np.uint64)[:, 0], active)

    def require_owned(self, where: np.ndarray) -> None:
        """Raises IndexError unless all places belong to the parameters' arrays."""
        if where.size and (where.min() < 0 or not self.owned[where].all()):
            raise IndexError("a thread must stay within the arrays")

    def copy(self, to: str, source: str, size: str, present: str = "", *, active):
        """cp.async: bytes from global to shared memory; those not present are 0.

        What is present is a number of bytes, or a predicate that none of them is.
        """
        length = int(size, 0)
        left = self.read(present or size, signed=True)[active]
        if present.startswith("%p"):
            left = np.where(left, 0, length)
        where = self.address(source)[active][:, None] + np.arange(length)
        there = np.arange(length) < left[:, None]
        self.require_owned(where[there])
        data = np.where(there, self.memory["global"][np.where(there, where, 0)], 0)
        self.memory["shared"][self.address(to)[active][:, None] + np.arange(length)] = (
            data
        )

    def load_matrices(self, to: str, source: str, transposed: bool) -> None:
        """ldmatrix: 8 x 8 matrices of 16 bits, rows of matrix i from lanes 8 i onwards."""
        places = self.address(source).reshape(-1, WARP)
        for i, register in enumerate(_listed(to)):
            where = places[:, 8 * i : 8 * i + 8, None] + np.arange(16)
            matrices = self.memory["shared"][where].view(np.uint16)
            if transposed:
                matrices = np.ascontiguousarray(matrices.swapaxes(1, 2))
            words = matrices.reshape(-1, WARP, 2).view(np.uint32)
            self.registers[register] = words.reshape(-1).astype(np.uint64)

    def store_matrices(self, to: str, source: str) -> None:
        """stmatrix: the same rows, from registers to shared memory."""
        places = self.address(to).reshape(-1, WARP)
        for i, register in enumerate(_listed(source)):
            words = self.read(register, 32).astype(np.uint32)
            where = places[:, 8 * i : 8 * i + 8, None] + np.arange(16)
            self.memory["shared"][where] = words.view(np.uint8).reshape(where.shape)

    def multiply(self, instruction: Instruction) -> None:
        """mma.m16n8k32 of signed bytes: D = A B + C, a product to each warp."""
        if (
            ".m16n8k32." not in instruction.opcode
            or ".s8.s8." not in instruction.opcode
        ):
            raise NotImplementedError(instruction.opcode)
        d, a, b, c = (_listed(x) for x in instruction.operands)
        lanes = np.arange(WARP)
        row, column = lanes >> 2, lanes & 3

        def words(registers, shape, places):
            matrix = np.zeros((self.program.threads // WARP, *shape), np.uint32)
            for register, (down, right) in zip(registers, places):
                value = self.read(register, 32).reshape(-1, WARP)
                matrix[:, row + down, column + right] = value
            return matrix.view(np.int8).astype(np.int64)

        left = words(a, (16, 8), ((0, 0), (8, 0), (0, 4), (8, 4)))
        right = words(b, (8, 8), ((0, 0), (0, 4)))
        products = left @ right.swapaxes(1, 2)
        everyone = np.ones(self.program.threads, bool)
        places = ((0, 0), (0, 1), (8, 0), (8, 1))
        sums = [
            self.read(old, 32, True)
            + products[:, row + down, 2 * column + right].reshape(-1)
            for old, (down, right) in zip(c, places)
        ]
        for register, value in zip(d, sums):
            self.write(register, value, everyone, 32)


def _listed(operand: str) -> list[str]:
    return re.findall(r"[^\s,{}]+", operand)
