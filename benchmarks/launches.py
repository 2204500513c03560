"""What a compiled program launches on a GPU, read from its optimised HLO."""

import re
from typing import NamedTuple

COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
# name = type operation(: a type has spaces, but no lower-case word before a parenthesis.
INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?[\w.\-]+ = .*? ([a-z][\w\-]*)\((.*)$")
CALLED = re.compile(r"(?:calls|to_apply|body)=%?([\w.\-]+)")
CONDITION = re.compile(r"condition=%?([\w.\-]+)")
BRANCHES = re.compile(r"(?:true_computation|false_computation)=%?([\w.\-]+)")
BRANCH_LIST = re.compile(r"branch_computations=\{([^}]*)\}")
TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
TARGET = re.compile(r'custom_call_target="([^"]+)"')

# They name what is there, or wait for it.
NOTHING = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all",
    "add-dependency", "opt-barrier", "copy-done", "async-done", "async-update",
}  # fmt: skip
COPIES = {"copy", "copy-start"}
# Custom calls that are a kernel.
OURS = ("__gpu$xla.gpu.triton", "triton_kernel_call", "__gpu$xla.gpu.ptx")


class Launches(NamedTuple):
    """What is launched, each loop's share times its trips.

    Attributes:
        kernels: of XLA's own code: fusions, and what stands by itself.
        copies: from memory to memory.
        library: calls of cuBLAS, cuDNN and CUB, of one kernel or some.
        asks: times that the host must read a number to know how to go on: of a loop
            whose length the program does not say, once a trip, and of a condition.
        unknown: such loops, each counted as one trip: then all this is the least.
    """

    kernels: int = 0
    copies: int = 0
    library: int = 0
    asks: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All launches."""
        return self.kernels + self.copies + self.library

    def plus(self, other: "Launches", times: int = 1) -> "Launches":
        """These, and the other so many times."""
        return Launches(*(a + times * b for a, b in zip(self, other)))


class Loop(NamedTuple):
    """A loop, and the loops in it.

    Attributes:
        trips: None where the program does not say.
        once: launches of a trip.
        loops: those that a trip runs through.
    """

    trips: int | None
    once: Launches
    loops: tuple["Loop", ...]


def computations(text: str) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """(the entry's name, name -> its instructions' (operation, the line's rest))."""
    found, entry, here = {}, "", []
    for line in text.splitlines():
        if begins := COMPUTATION.match(line):
            here = found.setdefault(begins[2], [])
            entry = begins[2] if begins[1] else entry
        elif of := INSTRUCTION.match(line):
            here.append((of[1], of[2]))
    if not entry:
        raise ValueError(
            f"computations: the text must have an ENTRY, got {text[:40]!r}"
        )
    return entry, found


def program(text: str) -> Loop:
    """The whole program as a loop of one trip."""
    entry, found = computations(text)
    return Loop(1, *_inside(found, entry))


def a_round(text: str) -> Loop:
    """The loop over rounds: of the entry's loops the one that launches the most."""
    loops = program(text).loops
    if not loops:
        raise ValueError("a_round: the program must have a loop over rounds, got none")
    return max(loops, key=lambda loop: loop.once.total)


def _inside(found: dict, name: str) -> tuple[Launches, tuple[Loop, ...]]:
    """(launches of a computation, its loops)."""
    total, loops = Launches(), []
    for operation, rest in found[name]:
        if operation == "while":
            loop = _loop(found, rest)
            loops.append(loop)
            total = total.plus(loop.once, loop.trips or 1)
            total = total.plus(Launches(unknown=int(loop.trips is None)))
        elif operation == "conditional":
            named = BRANCH_LIST.search(rest)
            names = named[1].split(", ") if named else BRANCHES.findall(rest)
            ways = [_inside(found, way.lstrip("%")) for way in names]
            most, inner = max(ways, key=lambda way: way[0].total)
            loops += inner
            total = total.plus(most).plus(Launches(asks=1))
        elif operation in ("call", "async-start"):
            more, inner = _inside(found, CALLED.search(rest)[1])
            loops += inner
            total = total.plus(more)
        else:
            total = total.plus(_one(operation, rest))
    return total, tuple(loops)


def _loop(found: dict, rest: str) -> Loop:
    once, loops = _inside(found, CALLED.search(rest)[1])
    trips = TRIPS.search(rest)
    if trips:
        return Loop(int(trips[1]), once, loops)
    asked, _ = _inside(found, CONDITION.search(rest)[1])
    return Loop(None, once.plus(asked).plus(Launches(asks=1)), loops)


def _one(operation: str, rest: str) -> Launches:
    """Launches of one instruction that has no others in it."""
    if operation in NOTHING:
        return Launches()
    if operation in COPIES:
        return Launches(copies=1)
    if operation == "custom-call":
        target = TARGET.search(rest)
        ours = target is not None and target[1].startswith(OURS)
        return Launches(kernels=1) if ours else Launches(library=1)
    return Launches(kernels=1)
