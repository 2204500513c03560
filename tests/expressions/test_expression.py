"""Calls as data: what is taken, what is refused, and what is filled in."""

import ast
import time

import pytest

from flq_jax.expressions.expression import (
    LONGEST,
    ExpressionError,
    Scope,
    evaluate,
    parse,
    substituted,
)


def pair(first, second=2, *, clients=0):
    return first, second, clients


def many(*parts, **named):
    return parts, named


def failing(error):
    raise error


def no_module(dotted):
    raise ExpressionError(f"{dotted}: nothing is imported")


NAMES = {"pair": pair, "many": many, "failing": failing, "clients": 10, "seven": 7}


def made(text, names=NAMES, **supplied):
    return evaluate(parse(text), Scope(names, supplied, no_module))


@pytest.mark.parametrize(
    "text, value",
    [
        ("3", 3),
        ("-2.5e-3", -0.0025),
        ("'a b'", "a b"),
        ("None", None),
        ("(1, (2,), ())", (1, (2,), ())),
        ("1 + 2 * 3 - 4 / 8", 6.5),
        ("7 // 2", 3),
        ("2 ** 10", 1024),
        ("0.02 * clients", 0.2),
        (" pair(1)\n", (1, 2, 0)),
        ("pair(second=seven, first=(1,))", ((1,), 7, 0)),
        ("many(1, pair(2), b=3, a=4)", ((1, (2, 2, 0)), {"b": 3, "a": 4})),
    ],
)
def test_an_expression_is_python_s(text, value):
    assert made(text) == (pytest.approx(value) if type(value) is float else value)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]", "{1}", "{1: 2}", "[x for x in (1, 2)]", "(x for x in (1, 2))", "lambda: 1",
        "(1, 2)[0]", "1 < 2", "seven if 1 else 2", "1 and 2", "not 1", "~1", "1 % 2", "1 @ 2",
        "1 << 2", "1 | 2", "+seven", "f'{seven}'", "b'a'", "1j", "...", "(y := 1)",
        "pair(*many())", "pair(**many())", "pair(1).count", "'a'.upper()", "(1).real",
        "pair._code", "_pair", "__import__('os')", "many.__globals__", "pair(_a=1)(2)",
        "await pair(1)", "yield 1", "x = 1", "import os", "1; 2", "", "1 2", "pair(",
        "pair(first=1, first=2)", "\0", "é.\n(", "many(__class__=1)[0]",
    ],
)  # fmt: skip
def test_all_else_is_refused_in_one_line(text):
    with pytest.raises(ExpressionError) as error:
        made(text)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "2 ** 10 ** 9", "10 ** 400", "9 ** 9 ** 9", "(2 ** 1000) * (2 ** 1000)",
        "2.0 ** 1e9", "-2 ** 10 ** 10", "1e308 ** 2", "(-8.0) ** 0.5", "1 / 0", "1 // 0",
        "0 ** -1", "0.0 ** -1", "1" * 5000, "(2 ** 1023) / 1e-300",
        "2 ** -(10 ** 300)",
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused_at_once(text):
    begin = time.process_time()
    with pytest.raises(ExpressionError) as error:
        made(text)
    assert time.process_time() - begin < 0.5 and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3000, "(" * 150 + ")" * 150, "-" * 3900 + "1", "pair(" * 700 + "1" + ")" * 700,
        "1" + " + 1" * 999, "many" + "(1)" * 1300, "a" + ".a" * 1900, "1 +" * 1000,
        "x" * (LONGEST + 1), "(1, " * 190 + "2" + ")" * 190,
    ],
)  # fmt: skip
def test_depth_and_length_end_in_a_line_or_a_value(text):
    """Never in Python's own limits."""
    try:
        assert made(text) is not None
    except ExpressionError as error:
        assert "\n" not in str(error) and len(str(error)) < 500


def test_too_long_a_text_says_how_long_it_may_be():
    with pytest.raises(
        ExpressionError, match=f"{LONGEST} characters or less, got 4001"
    ):
        parse("x" * (LONGEST + 1))


def test_what_a_run_supplies_fills_what_is_not_given():
    assert made("pair(1)", clients=10) == (1, 2, 10)
    assert made("pair(1, clients=3)", clients=10) == (1, 2, 3)
    assert made("pair(clients=3)", first=5) == (5, 2, 3)
    assert made("many(1)", parts=5, named=6) == ((1,), {})
    with pytest.raises(ExpressionError, match="missing a required argument: 'first'"):
        made("pair()", clients=10)


@pytest.mark.parametrize(
    "text, match",
    [
        ("pairs(1)", "^pairs: no such name; did you mean pair?"),
        ("zzz", "^zzz: no such name; there are clients, failing, many, pair, seven$"),
        ("seven(1)", "seven is a value, nothing to be called"),
        (
            "pair(1, 2, 3)",
            r"too many positional.*; it is pair\(first, second=2, \*, cl",
        ),
        ("pair(1, firs=2)", "unexpected keyword argument 'firs'; it is pair"),
        ("1 + pair", r"1 \+ pair: must be arithmetic of numbers, got a function"),
        ("'a' * 1000", "must be arithmetic of numbers, got a str"),
        ("True + 1", "must be arithmetic of numbers, got a bool"),
        ("os.system('ls')", "^os.system: nothing is imported"),
    ],
)
def test_what_means_nothing_says_why(text, match):
    with pytest.raises(ExpressionError, match=match):
        made(text)


@pytest.mark.parametrize(
    "error, match",
    [
        (ValueError("failing: two\nlines"), r"failing\(7\): two lines$"),
        (KeyError("x"), "KeyError: 'x'"),
        (TypeError("no"), r"no; it is failing\(error\)"),
        (ValueError(), "ValueError: "),
        (SystemExit(0), "SystemExit: 0"),
        (RecursionError("deep"), "RecursionError: deep"),
        (ValueError("x" * 9000), "xxx"),
    ],
)
def test_whatever_a_constructor_raises_is_a_line_with_its_call(error, match):
    def raising(given):
        raise error

    names = NAMES | {"failing": lambda error: raising(error)}
    with pytest.raises(ExpressionError, match=match) as told:
        made("failing(7)", names)
    assert "\n" not in str(told.value) and len(str(told.value)) < 700


def test_names_are_substituted_but_not_those_of_arguments_and_modules():
    tree = substituted(parse("many(a, b=a, a=a.b(c))"), {"a": parse("1 + 2")})
    assert ast.unparse(tree) == "many(1 + 2, b=1 + 2, a=a.b(c))"
    doubled = substituted(parse("2 * a"), {"a": parse("1 + 2")})
    assert evaluate(doubled, Scope({}, {}, no_module)) == 6
