"""What a constructor says of its arguments."""

import inspect
import math
import typing
from collections.abc import Collection
from typing import Any

NOTHING = inspect.Parameter.empty
MANY = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def signature_of(make: Any) -> inspect.Signature | None:
    """The arguments of a constructor; None where Python can't tell them.

    Of a flax module those that say where it stands in another are left out.
    """
    try:
        found = inspect.signature(make)
    except (TypeError, ValueError):
        return None
    parameters = found.parameters
    if inspect.isclass(make) and "parent" in parameters and "name" in parameters:
        kept = [p for name, p in parameters.items() if name not in ("parent", "name")]
        return found.replace(parameters=kept)
    return found


def described(signature: inspect.Signature, but: Collection[str] = ()) -> str:
    """The arguments with the defaults that are literals, (bits, radius=None).

    Without those of the names in `but`; what follows them is then had by name.
    """
    shown, before = [], []
    for parameter in signature.parameters.values():
        before.append(parameter.name)
        if parameter.name in but:
            continue
        literal = parameter.default is NOTHING or is_literal(parameter.default)
        default = parameter.default if literal else ...
        parameter = parameter.replace(annotation=NOTHING, default=default)
        if parameter.kind not in MANY and {*but} & {*before}:
            parameter = parameter.replace(kind=parameter.KEYWORD_ONLY)
        shown.append(parameter)
    bare = signature.replace(parameters=shown, return_annotation=NOTHING)
    return str(bare).replace("Ellipsis", "...")


def is_literal(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(is_literal, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str)


def traced(make: Any) -> set[str]:
    """The parameters that take a `jax.Array` and a number as well."""
    of = make.__init__ if inspect.isclass(make) else make
    try:
        hints = typing.get_type_hints(of)
    except (NameError, AttributeError, TypeError, SyntaxError):  # of what is not there
        return set()
    ways = {name: {str(way) for way in _ways(hint)} for name, hint in hints.items()}
    return {
        n for n, kinds in ways.items() if any(k.endswith(".Array'>") for k in kinds)
    }


def _ways(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or what is none by itself."""
    if typing.get_origin(hint) in (typing.Union, type(int | str)):
        return tuple(way for member in typing.get_args(hint) for way in _ways(member))
    return (hint,)
