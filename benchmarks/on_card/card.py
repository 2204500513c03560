"""The parts in their order, and the time that each may take."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .exactness import exactness
from .federations import rounds, seeds
from .kernels import ceilings, convolutions, products
from .measure import Works, clocks
from .steps import steps


class Part(NamedTuple):
    """What is measured.

    Attributes:
        share: of the card's seconds.
        works: (small, ceiling) -> what is to be measured, see `Works`. `ceiling` is what
            the device can do in a microsecond, by name; `ceilings` notes it there.
    """

    share: float
    works: Callable[[bool, dict[str, float]], Works]


# Most valuable first.
PARTS = {
    "ceilings": Part(0.06, ceilings),
    "exactness": Part(0.14, exactness),
    "rounds": Part(0.32, rounds),
    "products": Part(0.14, products),
    "steps": Part(0.14, steps),
    "convolutions": Part(0.08, convolutions),
    "seeds": Part(0.12, seeds),
}
# An H100's, about, should measuring fail.
CEILING = {"bytes": 3e6, "f32": 4e8, "bf16": 8e8, "int8": 1.5e9}


def card(
    small: bool,
    seconds: float,
    parts: dict[str, Part] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[dict]:
    """Every row, as it is measured, and what time each part took.

    A work is left out if it would come too late, should it take as long as the part's
    longest; what a part leaves over is for those after it. So the whole keeps within
    `seconds`, unless a work takes longer than all before it. A work that raises says so
    in its row, and the next begins.

    Args:
        small: whether shapes are tiny.
        seconds: of all parts.
        parts: name -> part; None: `PARTS`.
        clock: seconds.
    """
    parts, ceiling = PARTS if parts is None else parts, dict(CEILING)
    whole, due = sum(part.share for part in parts.values()), clock()
    for name, part in parts.items():
        due += part.share / whole * seconds
        start, longest = clock(), 0.0
        for work, measure in part.works(small, ceiling):
            row, begin = {"part": name, "work": work}, clock()
            if begin + longest >= due:
                yield row | {"left_out": "out of time"}
                continue
            try:
                row |= measure()
            except Exception as error:  # noqa: BLE001 one that fails must not end the card
                told = str(error).strip().splitlines()[:1]
                row["error"] = f"{type(error).__name__}: {''.join(told)[:160]}"
            longest = max(longest, clock() - begin)
            yield row
        took = {"seconds": round(clock() - start, 1)} | clocks()
        yield {"part": name, "work": "all of it"} | took
