"""One text for all expressions that mean the same, and the numbers in it."""

import ast
import inspect

from flq_jax.expressions.expression import ExpressionError, Scope, evaluate
from flq_jax.expressions.signatures import MANY, is_literal, signature_of, traced


def canonical(tree: ast.expr, scope: Scope) -> ast.expr:
    """The expression with all its arguments by name, literal defaults written out.

    What the run supplies is left out. Two expressions that mean the same have the same
    one, also after a default has changed.
    """

    class Complete(ast.NodeTransformer):
        def visit_Call(self, node):
            self.generic_visit(node)
            signature = signature_of(evaluate(node.func, scope))
            return node if signature is None else _complete(node, signature, scope)

    copy = ast.parse(ast.unparse(tree), mode="eval").body
    return ast.parse(ast.unparse(Complete().visit(copy)), mode="eval").body


def _complete(node: ast.Call, signature: inspect.Signature, scope: Scope) -> ast.Call:
    given = {str(k.arg): k.value for k in node.keywords}
    bound = signature.bind_partial(*node.args, **given).arguments
    args, keywords = [], []
    many = any(
        p.kind is MANY[0] and bound.get(n) for n, p in signature.parameters.items()
    )
    for name, parameter in signature.parameters.items():
        value = bound.get(name)
        if parameter.kind is MANY[0]:
            args += value or ()
        elif parameter.kind is MANY[1]:
            keywords += [ast.keyword(k, v) for k, v in sorted((value or {}).items())]
        elif value and (
            parameter.kind is parameter.POSITIONAL_ONLY
            or (many and parameter.kind is parameter.POSITIONAL_OR_KEYWORD)
        ):
            args.append(value)
        elif name in scope.supplied:
            if value and ast.unparse(value) != name:
                keywords.append(ast.keyword(name, value))
        elif value or is_literal(parameter.default):
            value = value or ast.parse(repr(parameter.default), mode="eval").body
            keywords.append(ast.keyword(name, value))
    return ast.Call(node.func, args, keywords)


def holed(
    tree: ast.expr, scope: Scope, prefix: str
) -> tuple[ast.expr, dict[str, float]]:
    """The expression with names for numbers that a program may take as its arguments.

    They are those whose parameter says so by its annotation: it takes a `jax.Array`.

    Args:
        tree: of `canonical`.
        scope: of its names.
        prefix: what the new names begin with.

    Returns:
        The expression, and the numbers by name.
    """
    found: dict[str, float] = {}

    class Dig(ast.NodeTransformer):
        def visit_Call(self, node):
            free = traced(evaluate(node.func, scope))
            for keyword in node.keywords:
                if keyword.arg in free and (number := _number(keyword.value, scope)):
                    name = f"{prefix}_{len(found)}"
                    found[name], keyword.value = number[0], ast.Name(name, ast.Load())
            return self.generic_visit(node)

    copy = ast.parse(ast.unparse(tree), mode="eval").body
    return ast.parse(ast.unparse(Dig().visit(copy)), mode="eval").body, found


def _number(tree: ast.expr, scope: Scope) -> tuple[float] | None:
    """The value of a number or of arithmetic; None of anything else."""
    if any(isinstance(node, (ast.Call, ast.Attribute)) for node in ast.walk(tree)):
        return None
    try:
        value = evaluate(tree, scope)
    except ExpressionError:  # of what is not known by now
        return None
    return (float(value),) if type(value) in (int, float) else None


def asked(tree: ast.expr, scope: Scope) -> set[str]:
    """The names that it uses, those of the arguments among them that the run supplies."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        if isinstance(node, ast.Call):
            signature = signature_of(evaluate(node.func, scope))
            if signature is not None:
                given = {str(k.arg): k.value for k in node.keywords}
                bound = signature.bind_partial(*node.args, **given).arguments
                found |= {p for p in signature.parameters if p in scope.supplied} - {
                    *bound
                }
    return found
