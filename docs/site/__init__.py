"""What Sphinx is told beyond its own: docstrings, equations, links, the names' check."""

import ast
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util import logging

from . import docstrings, equations, linking, names

logger = logging.getLogger(__name__)


class Block(Directive):
    """What a docstring sets in by four: an equation, or text as it stands."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        if equations.is_equation(text):
            html = f'<div class="equation">{equations.html_of(text)}</div>'
            return [nodes.raw("", html, format="html")]
        block = nodes.literal_block(text, text)
        block["language"] = "python" if _is_python(text) else "text"
        return [block]


class Modules(Directive):
    """The modules of a package and what each says of itself in its first line."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        items = nodes.bullet_list()
        for path in sorted((names.ROOT / self.arguments[0]).glob("*.py")):
            told = ast.get_docstring(ast.parse(path.read_text()))
            if path.stem == "__init__" or not told:
                continue
            file = path.relative_to(names.ROOT).as_posix()
            line = nodes.paragraph("", "", nodes.literal("", file))
            line += nodes.Text(f": {told.splitlines()[0].replace('`', '')}")
            items += nodes.list_item("", line)
        return [items]


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except SyntaxError:
        return False


def _docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Makes the markup of one docstring, in place."""
    room = (name.split(".") + [""])[1]

    def marked(text: str) -> str:
        full = names.meant(text.removesuffix("()"), room)
        return f":py:obj:`{text} <{full}>`" if full else f"``{text}``"

    lines[:] = docstrings.as_rst("\n".join(lines), marked).splitlines()
    tests = names.tests_of(obj) if what in ("class", "function") else ""
    if tests:
        lines += ["", f":Tests: ``{tests}``", ""]


def _left_out(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of named tuples, which the class's own docstring describes."""
    told = getattr(obj, "__doc__", None) or ""
    return True if told.startswith("Alias for field number") else None


def _complete(app: Sphinx, env: Any) -> None:
    """Warns of each public name that the reference has not, so that the build fails."""
    there = {origin for origin, *_ in env.get_domain("py").get_objects()}
    for name in sorted(names.exported()):
        full = names.canonical(name) or name
        if full not in there:
            logger.warning("%s is exported, and no page of the reference has it", name)


def _begin(app: Sphinx) -> None:
    app.env.house_sources = set()


def _inline_math(self: Any, node: nodes.Node) -> None:
    self.body.append(equations.mathml_of(node.astext(), block=False))
    raise nodes.SkipNode


def _block_math(self: Any, node: nodes.Node) -> None:
    made = equations.mathml_of(node.astext(), block=True)
    self.body.append(f'<div class="equation">{made}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds all of it to Sphinx."""
    app.add_directive("house-block", Block)
    app.add_directive("house-modules", Modules)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(_inline_math, None),
        block_renderers=(_block_math, None),
    )
    app.connect("builder-inited", _begin)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-skip-member", _left_out)
    app.connect("doctree-resolved", linking.link)
    app.connect("env-check-consistency", _complete)
    app.connect("html-collect-pages", linking.sources)
    return {"parallel_read_safe": False, "parallel_write_safe": False}
