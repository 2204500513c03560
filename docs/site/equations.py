"""The docstrings' equations, typed in ASCII, as HTML; TeX of the pages, as MathML.

Nothing is computed: letters become slanted, names of Greek letters their letters, `_i` and
`^2` are set below and above the line, and `<-`, `<=`, `||` are the signs they stand for.
"""

import ast
import re
from html import escape

GREEK = dict(
    alpha="α", beta="β", gamma="γ", delta="δ", eps="ε", zeta="ζ", eta="η", theta="θ",
    kappa="κ", mu="μ", xi="ξ", pi="π", rho="ρ", sigma="σ", tau="τ", phi="φ", SIGMA="Σ",
    Delta="Δ",
    **{"lambda": "λ"},
)  # fmt: skip
OPERATORS = {"sum": "∑", "int": "∫", "integral": "∫", "sqrt": "√", "inf": "∞"}
SIGNS = {
    "<-": "←", "->": "→", "<=": "≤", ">=": "≥", "||": "‖", "**": "^", "..": "…",
    "...": "…", "-": "−", "+-": "±",
}  # fmt: skip
TOKEN = re.compile(
    r"(?P<word>[A-Za-z][A-Za-z0-9]*)|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)"
    r"|(?P<raise>\*\*|\^)|(?P<lower>_)"
    r"|(?P<sign><-|->|<=|>=|\|\||\.\.\.?|\+-|-)|(?P<gap> {2,})|(?P<other>.)",
    re.DOTALL,
)
ANGLES = re.compile(r"<([^<>=-]+, [^<>=-]+)>")


def is_equation(block: str) -> bool:
    """Whether a block set in by four is one: it relates things, and is no program."""
    if not re.search(r" = |<-|<=|>=| > |~|\|\||ceil\(|\^", block):
        return False
    try:
        ast.parse(block)
    except SyntaxError:
        return True
    return False


def _group(text: str, start: int) -> tuple[str, int]:
    """What an index or a power takes from `start`: a bracket's inside, or one word."""
    pairs = {"(": ")", "{": "}"}
    if start < len(text) and text[start] in pairs:
        opened, depth = text[start], 0
        for i in range(start, len(text)):
            depth += (text[i] == opened) - (text[i] == pairs[opened])
            if not depth:
                return text[start + 1 : i], i + 1
    found = re.compile(r"-?[A-Za-z0-9]+\*?|\*").match(text, start)
    return (found[0], found.end()) if found else ("", start)


def _word(word: str) -> str:
    if word in GREEK:
        return f"<i>{GREEK[word]}</i>"
    if word in OPERATORS:
        return OPERATORS[word]
    return f"<i>{word}</i>" if len(word) == 1 else word


def _is_index(before: str, index: str, bracketed: bool) -> bool:
    """Whether what follows the underscore is an index, and no part of a longer name."""
    short = len(before) == 1 or before in GREEK or before in OPERATORS or not before
    return bracketed or short or len(index) == 1


def html_of(text: str) -> str:
    """An equation's HTML.

    Args:
        text: as it is typed; its lines stay lines.
    """
    text = ANGLES.sub(r"⟨\1⟩", text)
    made: list[str] = []
    at, before = 0, ""
    while at < len(text):
        found = TOKEN.match(text, at)
        assert found is not None  # noqa: S101 the last alternative is any letter
        kind, token, at = found.lastgroup, found[0], found.end()
        if kind == "lower" and text.startswith("hat", at) and made:
            made[-1] = re.sub(r"(\w)(</i>)?$", "\\1\u0302\\2", made[-1])
            at += 3
            continue
        if kind in ("raise", "lower"):
            bracketed = text[at : at + 1] in ("(", "{")
            inner, end = _group(text, at)
            if kind == "raise" and inner:
                made.append(f"<sup>{html_of(inner)}</sup>")
                at = end
            elif inner and _is_index(before, inner, bracketed):
                made.append(f"<sub>{html_of(inner)}</sub>")
                at = end
            else:
                made.append(escape(token))
            continue
        before = token if kind == "word" else ""
        if kind == "word":
            made.append(_word(token))
        elif kind == "sign":
            made.append(SIGNS[token])
        elif kind == "gap":
            made.append("\u2003" * min(len(token) // 2, 2))
        else:
            made.append(escape(token))
    return "".join(made)


def mathml_of(tex: str, block: bool) -> str:
    """TeX as MathML, which browsers set by themselves."""
    from latex2mathml.converter import convert

    return convert(tex, display="block" if block else "inline")
