"""Calls of Python as data: parsed, checked, evaluated, and written in one way.

    lazy(innovation(uniform(4)), weight=0.8)

An expression is made of calls, names, numbers, strings, tuples and + - * / // ** of
numbers. A name is one of a `Scope`; a dotted name is imported by it. Nothing else is
evaluated.
"""

import ast
import numbers
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from flq_jax.expressions.nearest import did_you_mean
from flq_jax.expressions.signatures import MANY, described, signature_of

ARITHMETIC = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow,
    ast.USub: operator.neg,
}  # fmt: skip
GRAMMAR = (
    ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Constant, ast.Tuple, ast.BinOp,
    ast.UnaryOp, ast.Load, *ARITHMETIC,
)  # fmt: skip
LONGEST = 4000  # characters of an expression
MOST_BITS = 1024  # of an integer that arithmetic makes: 2**(10**9) fills the memory


class ExpressionError(ValueError):
    """An expression that means nothing; the message is one line."""


class Scope(NamedTuple):
    """What the names of an expression mean.

    Attributes:
        names: constructors and values.
        supplied: values that are also filled in for an argument of that name.
        imported: dotted name -> what it names; `ExpressionError` if there is nothing.
    """

    names: Mapping[str, Any]
    supplied: Mapping[str, Any]
    imported: Callable[[str], Any]


def parse(text: str) -> ast.expr:
    """The expression as a tree of the grammar above, or an `ExpressionError`."""
    if len(text) > LONGEST:
        raise ExpressionError(
            f"{text[:40]}...: must be {LONGEST} characters or less, got {len(text)}"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        for node in ast.walk(tree):
            _require_grammar(node)
        return ast.parse(ast.unparse(tree), mode="eval").body
    except SyntaxError as error:
        where = f", column {error.offset}" if error.offset else ""
        raise ExpressionError(f"{_short(text)}: {error.msg}{where}") from error
    except (RecursionError, MemoryError, ValueError) as error:
        if isinstance(error, ExpressionError):
            raise
        reason = "is nested too deeply" if isinstance(error, RecursionError) else error
        raise ExpressionError(f"{_short(text)}: {reason}") from error


def _require_grammar(node: ast.AST) -> None:
    holds = isinstance(node, GRAMMAR)
    must = "calls, names, numbers, strings, tuples and + - * / // ** alone"
    if isinstance(node, ast.Constant):
        holds = isinstance(node.value, (bool, int, float, str, type(None)))
    if isinstance(node, ast.keyword):
        holds, must = node.arg is not None, "no **; each argument by its name"
    if isinstance(node, ast.Call):
        names = [k.arg for k in node.keywords]
        holds, must = len({*names}) == len(names), "each argument once"
    if isinstance(node, ast.Attribute):
        holds = isinstance(node.value, (ast.Name, ast.Attribute))
        must = "a dotted name alone, no attribute of a value"
    named = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    if named.startswith("_"):
        holds, must = False, "public names alone"
    if not holds:
        shown = "**" if isinstance(node, ast.keyword) else _unparsed(node)
        raise ExpressionError(f"{_short(shown)}: must be {must}")


def _unparsed(node: ast.AST) -> str:
    try:
        return ast.unparse(node)
    except (AttributeError, ValueError, RecursionError):
        return type(node).__name__


def _short(text: str) -> str:
    return repr(_shown(text))


def _shown(tree: ast.expr | str) -> str:
    """An expression in an error message."""
    text = tree if isinstance(tree, str) else ast.unparse(tree)
    text = " ".join(text.split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def evaluate(tree: ast.expr, scope: Scope) -> Any:
    """The object that an expression makes.

    Raises:
        ExpressionError: a name that is not there, an argument that its constructor does
            not take, or whatever the constructor itself raises, with the call.
    """
    match tree:
        case ast.Constant(value):
            return value
        case ast.Name(name):
            if name not in scope.names:
                near = did_you_mean(name, scope.names)
                there = f"; there are {', '.join(sorted(scope.names))}"
                raise ExpressionError(f"{name}: no such name{near or there}")
            return scope.names[name]
        case ast.Attribute():
            return scope.imported(ast.unparse(tree))
        case ast.Tuple(parts):
            return tuple(evaluate(part, scope) for part in parts)
        case ast.UnaryOp(sign, part):
            return _computed(tree, type(sign), evaluate(part, scope))
        case ast.BinOp(left, sign, right):
            sides = evaluate(left, scope), evaluate(right, scope)
            return _computed(tree, type(sign), *sides)
        case ast.Call(function, args, keywords):
            make = evaluate(function, scope)
            args = [evaluate(arg, scope) for arg in args]
            given = {str(k.arg): evaluate(k.value, scope) for k in keywords}
            return _called(tree, make, args, given, scope)
    raise ExpressionError(f"{_shown(tree)}: is no expression")


def _computed(tree: ast.expr, sign: type, *sides: Any) -> Any:
    """Arithmetic of numbers, traced ones among them."""
    for side in sides:
        number = isinstance(side, numbers.Real) or hasattr(side, "dtype")
        if isinstance(side, bool) or not number:
            raise ExpressionError(
                f"{_shown(tree)}: must be arithmetic of numbers, got a "
                f"{type(side).__name__}"
            )
    if all(isinstance(side, int) for side in sides):
        bits = [side.bit_length() for side in sides]
        size = bits[0] * abs(sides[-1]) if sign is ast.Pow else sum(bits)
        if size > MOST_BITS:
            raise ExpressionError(f"{_shown(tree)}: is too large a number")
    try:
        found = ARITHMETIC[sign](*sides)
    except (ArithmeticError, ValueError) as error:
        raise ExpressionError(f"{_shown(tree)}: {error}") from error
    if isinstance(found, complex):
        raise ExpressionError(f"{_shown(tree)}: is no real number")
    return found


def _called(
    tree: ast.Call, make: Any, args: list, given: dict[str, Any], scope: Scope
) -> Any:
    where, name = _shown(tree), _shown(tree.func)
    if not callable(make):
        raise ExpressionError(f"{where}: {name} is a value, nothing to be called")
    signature = signature_of(make)
    if signature:
        try:
            there = signature.bind_partial(*args, **given).arguments
            filled = {
                p: scope.supplied[p]
                for p, parameter in signature.parameters.items()
                if p in scope.supplied and p not in there and parameter.kind not in MANY
            }
            signature.bind(*args, **given, **filled)
        except TypeError as error:
            shown = f"{name}{described(signature)}"
            raise ExpressionError(f"{where}: {error}; it is {shown}") from error
        given = given | filled
    try:
        return make(*args, **given)
    except ExpressionError:
        raise
    except (Exception, SystemExit) as error:  # a constructor may be anybody's
        reason = " ".join(str(error).split()).removeprefix(f"{name}: ")
        if not isinstance(error, (ValueError, TypeError)) or not reason:
            reason = f"{type(error).__name__}: {reason}"
        if isinstance(error, TypeError) and signature:
            reason = f"{reason:.300}; it is {name}{described(signature)}"
        raise ExpressionError(f"{where}: {reason:.500}") from error


def substituted(tree: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """The expression with these in place of the names.

    The names of arguments and those with dots are none.
    """

    class Put(ast.NodeTransformer):
        def visit_Attribute(self, node):
            return node

        def visit_Name(self, node):
            return values.get(node.id, node)

    copy = ast.parse(ast.unparse(tree), mode="eval").body
    return ast.parse(ast.unparse(Put().visit(copy)), mode="eval").body
