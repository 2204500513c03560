"""A mean and its spread as text, to the digits that the spread supports.

A standard deviation has two digits, more of them mean nothing (JCGM 100:2008, Guide to the
Expression of Uncertainty in Measurement, 7.2.6), and the mean ends where they end. Shares
have two decimals at most. What is a million or more, or below a thousandth, stands beside
its power of ten.
"""

import statistics
from collections.abc import Iterable
from typing import NamedTuple

LARGE, SMALL = 1e6, 1e-3


class Digits(NamedTuple):
    """A mean and its spread.

    Attributes:
        mean: its digits.
        spread: those of the standard deviation, "" if there is none.
        exponent: of the power of ten that both are multiples of; 0 for none.
        there: how many values there are.
        asked: how many there would be if all were there.
    """

    mean: str
    spread: str
    exponent: int
    there: int
    asked: int

    @property
    def missing(self) -> str:
        """How many are not there, or ""."""
        lacks = self.there < self.asked
        return f" ({self.there} of {self.asked})" if lacks else ""


def digits(values: Iterable[float | None], share: bool = False) -> Digits | None:
    """Mean and standard deviation of the values that are there; None if none is.

    Args:
        values: None for one that is not there.
        share: whether they are in percent.
    """
    values = list(values)
    there = [value for value in values if value is not None]
    if not there:
        return None
    mean = statistics.fmean(there)
    spread = statistics.stdev(there) if len(there) > 1 else 0.0
    whole = all(float(value).is_integer() for value in there)
    place = _last_place(mean, spread, share, whole)
    size = round(max(abs(mean), spread), -place)
    plain = share or size == 0.0 or SMALL <= size < LARGE
    exponent = 0 if plain else _power(size, 16)
    exact = spread == 0.0 and not share

    def text(value):
        value = (round(value, -place) + 0.0) / 10.0**exponent
        told = f"{value:.{max(exponent - place, 0)}f}"
        return told.rstrip("0").rstrip(".") if exact and "." in told else told

    told = text(mean), text(spread) if spread > 0.0 else ""
    return Digits(*told, exponent, len(there), len(values))


class Notation(NamedTuple):
    """How a mean and its spread are written.

    Attributes:
        both: of {mean} and {spread}.
        power: of {number} and {exponent}.
        whole: of {text}.
    """

    both: str
    power: str
    whole: str


PLAIN = Notation("{mean} ± {spread}", "{number}e{exponent}", "{text}")
LATEX = Notation(
    r"{mean} \pm {spread}", r"{number} \times 10^{{{exponent}}}", "${text}$"
)


def plain(
    values: Iterable[float | None], share: bool = False, absent: str = "never"
) -> str:
    """ "90.70 ± 0.12", "(6.72 ± 0.25)e7 (4 of 5)"; `absent` if no value is there."""
    return _written(PLAIN, values, share, absent)


def latex(
    values: Iterable[float | None], share: bool = False, absent: str = "never"
) -> str:
    """The same in LaTeX's mathematics."""
    return _written(LATEX, values, share, absent)


def _written(
    notation: Notation, values: Iterable[float | None], share: bool, absent: str
) -> str:
    found = digits(values, share)
    if found is None:
        return absent
    text = found.mean
    if found.spread:
        text = notation.both.format(mean=found.mean, spread=found.spread)
    if found.exponent:
        number = f"({text})" if found.spread else text
        text = notation.power.format(number=number, exponent=found.exponent)
    return notation.whole.format(text=text) + found.missing


def _last_place(mean: float, spread: float, share: bool, whole: bool) -> int:
    """The exponent of the last digit that is told."""
    if spread > 0.0:
        place = _power(spread, 2) - 1
    elif share or mean == 0.0:
        place = -2 if share else 0
    elif whole and abs(mean) < LARGE:
        place = 0
    else:
        place = _power(mean, 4) - 3
    return max(place, -2) if share else place


def _power(value: float, num_digits: int) -> int:
    """The exponent of its first digit, once it is rounded to so many."""
    return int(f"{value:.{num_digits - 1}e}".partition("e")[2])
