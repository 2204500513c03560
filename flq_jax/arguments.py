"""What the arguments of public functions must be, said in one line."""

import inspect
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

MOST = 2**31 - 1  # what an i32 holds


def is_integer(value: Any) -> bool:
    """Whether it is an integer, of Python or numpy, and no bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def require_integer(
    where: str, name: str, value: Any, low: int, high: int = MOST
) -> None:
    """Raises ValueError unless `value` is an integer in low..high, and no bool.

    Args:
        where: the function whose argument it is.
        name: of the argument.
        value: as it was given.
        low, high: its range, both ends included.
    """
    if not is_integer(value) or not low <= value <= high:
        raise ValueError(
            f"{where}: {name} must be an integer in {low}..{high}, got "
            f"{name}={shown(value)}"
        )


def require_choice(where: str, name: str, value: Any, choices: Collection[str]) -> None:
    """Raises ValueError unless `value` is one of these names."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{where}: {name} must be one of {', '.join(choices)}, got "
            f"{name}={shown(value)}"
        )


def require_flag(where: str, name: str, value: Any) -> None:
    """Raises TypeError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise TypeError(
            f"{where}: {name} must be True or False, got {name}={shown(value)}"
        )


def require_integers(where: str, name: str, values: Any, least: int = 1) -> None:
    """Raises ValueError unless `values` are `least` integers or more, each 1 or more."""
    many = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
    whole = many and all(
        isinstance(value, int | np.integer)
        and not isinstance(value, bool)
        and value >= 1
        for value in values
    )
    if not whole or len(values) < least:
        raise ValueError(
            f"{where}: {name} must be a sequence of integers, 1 or more each, got "
            f"{name}={shown(values)}"
        )


def require_callable(where: str, name: str, value: Any) -> None:
    """Raises TypeError unless `value` can be called."""
    if not callable(value):
        raise TypeError(f"{where}: {name} must be callable, got {name}={shown(value)}")


def require_takes(where: str, name: str, value: Any, *arguments: str) -> None:
    """Raises TypeError unless `value` can be called with so many arguments.

    A function that makes what is wanted, not called yet, can mostly not.
    """
    require_callable(where, name, value)
    try:
        inspect.signature(value).bind(*arguments)
    except TypeError:
        came = getattr(value, "__name__", shown(value))
        raise TypeError(
            f"{where}: {name} must take ({', '.join(arguments)}), got {came}"
        ) from None
    except ValueError:  # a built-in that does not tell what it takes
        return


def require_instance(where: str, name: str, value: Any, kind: type) -> None:
    """Raises TypeError unless `value` is a `kind`."""
    if isinstance(value, kind):
        return
    made = callable(value) and not isinstance(value, type)
    called = f"; {value.__name__}(...) makes one" if hasattr(value, "__name__") else ""
    raise TypeError(
        f"{where}: {name} must be a {kind.__name__}, got a {type(value).__name__}"
        + called * made
    )


def shown(value: Any) -> str:
    """The value in one line, of no more than 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
