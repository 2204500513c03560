"""NumPy arrays of a pickle, read without running it.

A pickle is a program that may call anything. This reader knows the few instructions that
a dict of numbers, strings, lists and arrays takes, keeps an array's parts as they are
written, and makes the array itself, of the plain types alone. Whatever else a pickle asks
for ends it.
"""

import math
import pickletools
import re
from typing import Any

import numpy as np

MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
KNOWN = {
    **{f"{module} _reconstruct": "array" for module in MULTIARRAY},
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",  # how Python 3 writes bytes for Python 2
}
PLAIN = re.compile(r"[iu][1248]|f[248]|b1")
VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT STRING BINSTRING "
    "SHORT_BINSTRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES "
    "SHORT_BINBYTES BINBYTES8".split()
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IDLE = {"PROTO", "FRAME"}
MARK = object()


class _Call:
    """What a pickle would call, by what it is for."""

    def __init__(self, name: str):
        if name not in KNOWN:
            raise ValueError(f"a pickle of {name}, where arrays alone are read")
        self.kind = KNOWN[name]


class _Parts:
    """An array or a type as a pickle writes it: what it is made of, and its state."""

    def __init__(self, kind: str, arguments: tuple):
        self.kind, self.arguments = kind, arguments
        self.state: tuple = ()


def read_pickle(data: bytes) -> dict[str, Any]:
    """The dict that a pickle of protocol 0 to 4 holds, by Python 2 or 3.

    Args:
        data: the whole pickle. Keys and strings of Python 2 are read as Latin-1.

    Returns:
        key -> number, string, list of such, or array, perhaps read-only.

    Raises:
        Exception: it is broken, or holds anything else.
    """
    return {
        key: _array(item) if isinstance(item, _Parts) else item
        for key, item in _own(_value(data), dict).items()
    }


def _value(data: bytes) -> Any:
    """What the instructions leave on the stack."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for instruction, argument, _ in pickletools.genops(data):
        name = instruction.name
        if name in VALUES:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "MARK":
            stack.append(MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "STOP":
            return stack.pop()
        elif name not in IDLE:
            _put_together(name, argument, stack)
    raise ValueError("a pickle without an end")


def _put_together(name: str, argument: Any, stack: list) -> None:
    """The instructions that make one value of several."""
    if name in TUPLES:
        stack.append(tuple(_last(stack, TUPLES[name])))
    elif name == "TUPLE":
        stack.append(tuple(_marked(stack)))
    elif name == "LIST":
        stack.append(_marked(stack))
    elif name == "DICT":
        stack.append(_filled({}, _marked(stack)))
    elif name in ("APPEND", "APPENDS"):
        items = _last(stack, 1) if name == "APPEND" else _marked(stack)
        _own(stack[-1], list).extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        items = _last(stack, 2) if name == "SETITEM" else _marked(stack)
        _filled(_own(stack[-1], dict), items)
    elif name == "GLOBAL":
        stack.append(_Call(argument))
    elif name == "STACK_GLOBAL":
        stack.append(_Call(" ".join(_own(part, str) for part in _last(stack, 2))))
    elif name == "REDUCE":
        call, arguments = _last(stack, 2)
        stack.append(_called(_own(call, _Call).kind, _own(arguments, tuple)))
    elif name == "BUILD":
        (state,) = _last(stack, 1)
        _own(stack[-1], _Parts).state = _own(state, tuple)
    else:
        raise ValueError(f"a pickle with {name}, where arrays alone are read")


def _called(kind: str, arguments: tuple) -> Any:
    if kind != "encode":
        return _Parts(kind, arguments)
    text, encoding = arguments
    if encoding != "latin1":
        raise ValueError(f"bytes encoded as {encoding}")
    return text.encode("latin1")


def _array(parts: _Parts) -> np.ndarray:
    """State (version, shape, dtype, by columns, bytes), or without the version."""
    *_, shape, described, by_columns, data = parts.state
    dtype = _dtype(described)
    data = data.encode("latin1") if isinstance(data, str) else data
    if parts.kind != "array" or min(shape, default=1) < 0:
        raise ValueError(f"a pickle of no array, or of shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes for an array of {dtype} and shape {shape}")
    entries = np.frombuffer(data, dtype)
    return entries.reshape(shape[::-1]).T if by_columns else entries.reshape(shape)


def _dtype(parts: _Parts) -> np.dtype:
    """Of "u1" and a state (version, byte order, ...)."""
    code, order = _own(parts, _Parts).arguments[0], parts.state[1]
    if parts.kind != "dtype" or not PLAIN.fullmatch(code) or order not in "<>|=":
        raise ValueError(f"an array of type {order}{code}, which is no plain number")
    return np.dtype(f"{order}{code}")


def _own(value: Any, kind: type) -> Any:
    """The value, which must be of that very type."""
    if type(value) is not kind:
        raise ValueError(f"a pickle with a {type(value).__name__} out of place")
    return value


def _last(stack: list, count: int) -> list:
    if len(stack) < count:
        raise ValueError("a pickle that takes more than it has")
    taken = stack[-count:]
    del stack[-count:]
    return taken


def _marked(stack: list) -> list:
    """What was put there since the last mark."""
    for start in range(len(stack) - 1, -1, -1):
        if stack[start] is MARK:
            taken = stack[start + 1 :]
            del stack[start:]
            return taken
    raise ValueError("a pickle without a mark")


def _filled(into: dict, items: list) -> dict:
    """Keys are strings: the hash of a deep tuple would end the process."""
    if len(items) % 2:
        raise ValueError("a pickle with a key without a value")
    for key, value in zip(items[::2], items[1::2]):
        into[key.decode("latin1") if isinstance(key, bytes) else _own(key, str)] = value
    return into
