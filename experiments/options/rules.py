"""What each option of a config must be."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from .parts import PARTS


class Rule(NamedTuple):
    """What the value of one option must be: `must` completes "must be ..."."""

    must: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def integer(low: int, high: int = 2**31 - 1) -> Rule:
    """An integer in low..high; without `high`, one that 32 bits hold."""
    return Rule(f"an integer in {low}..{high}", lambda x: low <= x <= high)


def above(low: float) -> Rule:
    """A finite number above `low`; comparisons refuse NaN."""
    return Rule(f"a finite number above {low}", lambda x: low < x < math.inf)


def at_least(low: float) -> Rule:
    """A finite number, `low` or more."""
    return Rule(f"a finite number, {low} or more", lambda x: low <= x < math.inf)


def one_of(*names: str) -> Rule:
    """One of these names."""
    return Rule(f"one of {', '.join(names)}", lambda x: x in names, names)


ANY = Rule("any value of its type", lambda x: True)
ABOVE_0 = (
    "inner_m", "radius_m", "exponent", "power_w", "block_hz", "downlink_hz", "downlink_power_w",
    "deadline_s", "budget_j", "frequency_low_hz", "frequency_high_hz", "capacitance",
    "bit_operations_a_cycle",
)  # fmt: skip
AT_LEAST_0 = (
    "shadowing_db", "interference_low_w", "interference_high_w", "waterfall",
    "downlink_interference_w",
)  # fmt: skip
EXPRESSION = Rule("an expression", lambda x: bool(x.strip()))
RULES = {
    "seed": integer(0, 2**32 - 1),  # beyond it JAX's keys repeat
    "rounds": integer(1),
    "clients": integer(1),
    **dict.fromkeys(PARTS, EXPRESSION),
    "at_once": integer(0),
    "packed": ANY,
    "cell.blocks": integer(1, 10_000),  # each client's worth on each is compared
    **{f"cell.{option}": above(0) for option in ABOVE_0},
    "cell.gain_db": Rule("a finite number", math.isfinite),
    **{f"cell.{option}": at_least(0) for option in AT_LEAST_0},
    "stop.residual": at_least(0),
    "stop.optimum": at_least(0),
    "accounting.count": one_of("payload", "laq"),
    "accounting.downlink": one_of("broadcast_once", "unicast_uploaders", "unicast_all"),
    "accounting.float_bits": Rule("32 or 64", lambda x: x in (32, 64)),
    "log.every": integer(1),
    "log.checkpoint_every": integer(1),
    "log.study": one_of("none", "messages", "levels"),
    "log.tensorboard": ANY,
    "log.train_loss": Rule("a number from 0 to 1", lambda x: 0 <= x <= 1),
}


class Pair(NamedTuple):
    """What an option must be beside another; `must` may quote it, {c.log.every}."""

    option: str
    holds: Callable[[ConfigDict], bool]
    must: str


PAIRS = (
    Pair(
        "cell.radius_m",
        lambda c: c.cell.radius_m > c.cell.inner_m,
        "above config.cell.inner_m={c.cell.inner_m}",
    ),
    Pair(
        "cell.frequency_high_hz",
        lambda c: c.cell.frequency_high_hz >= c.cell.frequency_low_hz,
        "at least config.cell.frequency_low_hz={c.cell.frequency_low_hz}",
    ),
    Pair(
        "log.checkpoint_every",
        lambda c: c.log.checkpoint_every % c.log.every == 0,
        "a multiple of config.log.every={c.log.every}",
    ),
    Pair(
        "log.train_loss",
        lambda c: c.log.train_loss == 1 or not c.stop.residual,
        "1 beside config.stop.residual={c.stop.residual}, which is of the whole train loss",
    ),
)
