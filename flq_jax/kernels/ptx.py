"""Writes PTX, NVIDIA's assembly, one instruction to a call; XLA hands it to the driver.

A value is the name of a register, or an integer known already: `plus`, `times` and `split`
compute with integers at once, so that what a shape makes trivial costs no instruction.
Opcodes are those of the PTX ISA, "Instruction Set".
"""

import collections

VERSION, TARGET = "7.0", "sm_80"  # the oldest with products of m16n8k32 signed bytes
BYTES = 4  # of a word
Value = str | int


class Writer:
    """The body of a kernel, as far as it is written."""

    def __init__(self, name: str):
        self.name, self._lines = name, []
        self._used = collections.Counter()

    def fresh(self, kind: str = "r") -> str:
        """An unused register: "r" of 32 bits, "rd" of 64, "p" a predicate."""
        self._used[kind] += 1
        return f"%{kind}{self._used[kind]}"

    def put(self, opcode: str, *operands: Value, guard: str = "") -> None:
        """`@guard opcode operands;`."""
        when = f"@{guard} " if guard else ""
        self._lines.append(f"\t{when}{opcode} {', '.join(map(str, operands))};")

    def __call__(self, opcode: str, *operands: Value, kind: str = "r") -> str:
        """A fresh register with what an instruction makes of its operands."""
        to = self.fresh(kind)
        self.put(opcode, to, *operands)
        return to

    def parameter(self, number: int) -> str:
        """The address in the kernel's parameter of that number."""
        return self("ld.param.u64", f"[{self.name}_param_{number}]", kind="rd")

    def label(self, name: str) -> None:
        """A place to branch to."""
        self._lines.append(f"{name}:")

    def plus(self, x: Value, y: Value) -> Value:
        """x + y, i32."""
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        if 0 in (x, y):
            return y if x == 0 else x
        return self("add.s32", *((y, x) if isinstance(x, int) else (x, y)))

    def times(self, x: Value, n: int) -> Value:
        """n x, i32."""
        if isinstance(x, int):
            return x * n
        return {0: 0, 1: x}[n] if n in (0, 1) else self("mul.lo.s32", x, n)

    def split(self, x: Value, n: int, bound: int) -> tuple[Value, Value]:
        """floor(x / n) and x mod n of 0 <= x < bound."""
        if isinstance(x, int):
            return divmod(x, n)
        if n == 1 or bound <= n:
            return (x, 0) if n == 1 else (0, x)
        return self("div.u32", x, n), self("rem.u32", x, n)

    def at(self, base: str, index: Value, size: int = BYTES) -> str:
        """The address base + size index, of an i32 index."""
        if isinstance(index, int):
            return self("add.s64", base, size * index, kind="rd") if index else base
        offset = self("mul.wide.s32", index, size, kind="rd")
        return self("add.s64", base, offset, kind="rd")

    def word(self, address: str, inside: str = "", offset: int = 0) -> str:
        """The word at an address and so many bytes after it; 0 if it is not inside."""
        if inside:
            word = self("mov.b32", 0)
            self.put("ld.global.nc.b32", word, f"[{address}+{offset}]", guard=inside)
            return word
        return self("ld.global.nc.b32", f"[{address}+{offset}]")

    def text(self, parameters: int, threads: int) -> str:
        """The module: a kernel of u64 parameters, blocks of so many threads."""
        names = (f"\t.param .u64 {self.name}_param_{i}" for i in range(parameters))
        types = {"r": "b32", "rd": "b64", "p": "pred"}
        registers = (
            f"\t.reg .{types[kind]} %{kind}<{n + 1}>;" for kind, n in self._used.items()
        )
        return "\n".join(
            [
                f".version {VERSION}",
                f".target {TARGET}",
                ".address_size 64",
                f".visible .entry {self.name}(",
                ",\n".join(names),
                ")",
                f".reqntid {threads}, 1, 1",
                "{",
                *registers,
                *self._lines,
                "\tret;",
                "}\n",
            ]
        )
